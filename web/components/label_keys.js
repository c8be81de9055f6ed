// Buttons for labels, and their keys. The component sends the value together with the request, so
// that a late second press does not label the next image.

const current = new WeakMap();

function isTyping(event) {
  // Inside an open shadow root, the target of the document is the host.
  const target = event.composedPath()[0];
  return (
    event.ctrlKey || event.metaKey || event.altKey || event.repeat ||
    (target instanceof HTMLElement &&
      (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName)))
  );
}

export default function ({ parentElement, data, setTriggerValue }) {
  current.set(parentElement, data);
  const send = (value) => {
    const { request } = current.get(parentElement);
    for (const button of parentElement.querySelectorAll("button")) button.disabled = true;
    setTriggerValue("pressed", { value, request });
  };
  const fill = (name, entries) => {
    const part = parentElement.querySelector(`[data-part=${name}]`);
    part.replaceChildren(
      ...entries.map((entry) => {
        const button = document.createElement("button");
        button.type = "button";
        button.append(entry.text ?? entry.value);
        if (entry.key && entry.key !== entry.value) {
          const key = document.createElement("kbd");
          key.textContent = entry.key;
          button.append(" ", key);
        }
        button.onclick = () => send(entry.value);
        return button;
      }),
    );
  };
  fill("keys", data.labels);
  fill("more", data.more);

  const entries = [...data.labels, ...data.more];
  const onKey = (event) => {
    if (isTyping(event)) return;
    const entry = entries.find((one) => one.key === event.key.toLowerCase());
    const isReady = parentElement.querySelector("button:enabled") !== null;
    if (!entry || !isReady) return;
    event.preventDefault();
    event.stopPropagation();
    send(entry.value);
  };
  document.addEventListener("keydown", onKey, true);
  return () => document.removeEventListener("keydown", onKey, true);
}
