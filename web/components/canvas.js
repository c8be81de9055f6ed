// Canvas for mouse, pen and finger. Strokes are a width and points from 0 to 1, so they can be undone
// and redrawn in any size and color. The component sends a PNG of 140x140 pixels, black on white,
// together with the strokes. The page sends the strokes back to a new canvas, so a drawing survives a
// page change. After a reload, the session of the page is new: the drawing is in the storage of the
// browser's tab, which no other tab or user sees.

const EXPORT_SIDE = 140;
const STORED = "mlops_drawing";

const drawings = new WeakMap();

function store(drawing) {
  try {
    const { strokes, width } = drawing;
    sessionStorage.setItem(STORED, JSON.stringify({ strokes, width }));
  } catch {
    // Without storage, the drawing stays until a reload.
  }
}

function restore() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORED)) ?? {};
    const isStroke = ({ width, points }) =>
      width > 0 && Array.isArray(points) && points.length > 0 && points.every(Array.isArray);
    const strokes = Array.isArray(stored.strokes) ? stored.strokes.filter(isStroke) : [];
    return { strokes, width: stored.width };
  } catch {
    return { strokes: [] };
  }
}

function paint(context, side, strokes, ink) {
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = ink;
  for (const { width, points } of strokes) {
    context.lineWidth = side * width;
    context.beginPath();
    context.moveTo(points[0][0] * side, points[0][1] * side);
    for (const [x, y] of points) context.lineTo(x * side, y * side);
    // A line of length 0 is not drawn, whatever its cap, so a dot gets a minimal length.
    if (points.length === 1) context.lineTo(points[0][0] * side + 0.01, points[0][1] * side);
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
  const pen = find("pen");
  // Streamlit calls this function for every rerun of the page. The drawing stays.
  const isNew = !drawings.has(parentElement);
  const stored = isNew ? restore() : null;
  const isReloaded = isNew && data.strokes === null && stored.strokes.length > 0;
  const drawing = drawings.get(parentElement) ?? {
    strokes: isReloaded ? stored.strokes : (data.strokes ?? []),
    width: stored.width ?? data.width,
    pointer: null,
  };
  drawings.set(parentElement, drawing);

  canvas.setAttribute("aria-label", data.label);
  hint.textContent = data.hint;
  undo.textContent = data.undo;
  clear.textContent = data.clear;
  find("pen-label").textContent = data.pen;
  [pen.min, pen.max] = data.widths.map((width) => 100 * width);
  pen.value = 100 * drawing.width;

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
    store(drawing);
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
    drawing.strokes.push({ width: drawing.width, points: [pointOf(event)] });
    redraw();
  };
  canvas.onpointermove = (event) => {
    if (event.pointerId !== drawing.pointer) return;
    const { points } = drawing.strokes[drawing.strokes.length - 1];
    for (const part of event.getCoalescedEvents?.() ?? []) points.push(pointOf(part));
    points.push(pointOf(event));
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
  pen.oninput = () => {
    drawing.width = pen.valueAsNumber / 100;
    store(drawing);
  };

  // The size depends on the window and the stroke color on the theme.
  const sizes = new ResizeObserver(redraw);
  sizes.observe(canvas);
  redraw();
  if (isReloaded) setTimeout(send);
  return () => sizes.disconnect();
}
