// One history entry per page that the user visits. Streamlit adds an entry for each change of the
// URL by the script: with a default dropped, a value restored or a page left.
(() => {
  const { history } = window;
  if (history.ownsEntries) return; // each session draws the script
  history.ownsEntries = true;
  const push = history.pushState.bind(history);
  let departure = null; // address of the page when the user left it by a link

  const pathOf = (url) => new URL(url, window.location.href).pathname;

  // Streamlit drops the parameters of the page that is left while its path is still in the URL.
  document.addEventListener(
    "click",
    (event) => {
      const link = event.target instanceof Element && event.target.closest("a[href]");
      const leaves = link && link.target !== "_blank" && pathOf(link.href) !== window.location.pathname;
      if (leaves) departure = window.location.href;
    },
    true,
  );
  window.addEventListener("popstate", () => (departure = null));

  history.pushState = (state, title, url) => {
    if (pathOf(url) === window.location.pathname) {
      history.replaceState(state, title, url);
      return;
    }
    if (departure !== null && pathOf(departure) === window.location.pathname) {
      history.replaceState(history.state, title, departure);
    }
    departure = null;
    push(state, title, url);
  };
})();
