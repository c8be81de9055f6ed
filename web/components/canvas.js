// Canvas for mouse, pen and finger. Strokes are points from 0 to 1, so they can be undone and redrawn
// in any size and color. The component sends a PNG of 140x140 pixels, black on white, together with
// the strokes. The page sends the strokes back to a new canvas, so a drawing survives a page change.

const EXPORT_SIDE = 140;
// MNIST strokes are about 2.2 of 28 pixels wide.
const STROKE_SHARE = 0.08;

const drawings = new WeakMap();

function paint(context, side, strokes, ink) {
  context.lineCap = "round";
  context.lineJoin = "round";
  context.lineWidth = side * STROKE_SHARE;
  context.strokeStyle = ink;
  for (const stroke of strokes) {
    context.beginPath();
    context.moveTo(stroke[0][0] * side, stroke[0][1] * side);
    for (const [x, y] of stroke) context.lineTo(x * side, y * side);
    // A line of length 0 is not drawn, whatever its cap, so a dot gets a minimal length.
    if (stroke.length === 1) context.lineTo(stroke[0][0] * side + 0.01, stroke[0][1] * side);
    context.stroke();
  }
}

function toPng(strokes) {
  const copy = document.createElement("canvas");
  copy.width = copy.height = EXPORT_SIDE;
  const context = copy.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, EXPORT_SIDE, EXPORT_SIDE);
  paint(context, EXPORT_SIDE, strokes, "#000");
  return copy.toDataURL("image/png");
}

export default function ({ parentElement, data, setStateValue }) {
  const find = (name) => parentElement.querySelector(`[data-part=${name}]`);
  const canvas = find("canvas");
  const hint = find("hint");
  const undo = find("undo");
  const clear = find("clear");
  // Streamlit calls this function for every rerun of the page. The drawing stays.
  const drawing = drawings.get(parentElement) ?? { strokes: data.strokes ?? [], pointer: null };
  drawings.set(parentElement, drawing);

  canvas.setAttribute("aria-label", data.label);
  hint.textContent = data.hint;
  undo.textContent = data.undo;
  clear.textContent = data.clear;

  function redraw() {
    const side = Math.round(canvas.clientWidth * (window.devicePixelRatio || 1));
    if (side === 0) return;
    canvas.width = canvas.height = side;
    paint(canvas.getContext("2d"), side, drawing.strokes, getComputedStyle(canvas).color);
    const blank = drawing.strokes.length === 0;
    hint.hidden = !blank;
    undo.disabled = clear.disabled = blank;
  }

  function send() {
    redraw();
    const strokes = drawing.strokes;
    setStateValue("drawing", { png: strokes.length ? toPng(strokes) : null, strokes });
  }

  function pointOf(event) {
    const box = canvas.getBoundingClientRect();
    const share = (part, whole) => Math.round((part / whole) * 1000) / 1000;
    return [share(event.clientX - box.left, box.width), share(event.clientY - box.top, box.height)];
  }

  canvas.onpointerdown = (event) => {
    if (drawing.pointer !== null || event.button !== 0) return;
    event.preventDefault();
    drawing.pointer = event.pointerId;
    canvas.setPointerCapture(event.pointerId);
    drawing.strokes.push([pointOf(event)]);
    redraw();
  };
  canvas.onpointermove = (event) => {
    if (event.pointerId !== drawing.pointer) return;
    const stroke = drawing.strokes[drawing.strokes.length - 1];
    for (const part of event.getCoalescedEvents?.() ?? []) stroke.push(pointOf(part));
    stroke.push(pointOf(event));
    redraw();
  };
  canvas.onpointerup = canvas.onpointercancel = (event) => {
    if (event.pointerId !== drawing.pointer) return;
    drawing.pointer = null;
    send();
  };
  undo.onclick = () => {
    drawing.strokes.pop();
    send();
  };
  clear.onclick = () => {
    drawing.strokes = [];
    send();
  };

  // The size depends on the window and the stroke color on the theme.
  const sizes = new ResizeObserver(redraw);
  sizes.observe(canvas);
  redraw();
  return () => sizes.disconnect();
}
