// Address of Streamlit's server, so that the browser connects at once. Without it, the browser asks
// below the path of the page first, waits for the error and a pause, and asks again.
window.__streamlit = {
  BACKEND_BASE_URL: new URL("./", window.location.href).href,
  // Until the server has sent its own, in the background.
  HOST_CONFIG: { allowedOrigins: [window.location.origin], useExternalAuthToken: false },
};
