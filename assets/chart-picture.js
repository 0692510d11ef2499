// Saves a chart as a PNG file in the colours of the page. On screen a chart takes these from the style sheet.
(function () {
  "use strict";
  /** @type {Record<string, string>} */
  const VARIABLES = {
    "#3451c6": "accent",
    "#5b6478": "muted",
    "#be123c": "alert",
    "#0b7261": "up",
    "#b3440a": "down",
    "#e4e8f0": "line",
    "#fff": "surface",
  }; // custom properties of tracker.css, by the colours in the figure
  const BAND = "rgba(52,81,198,0.16)";
  const BAND_ALPHA = "29";
  const HEAD = 44; // px
  const SCALE = 2;
  const REVOKE_AFTER = 60000; // ms; the download has begun long before

  /** @param {string} name */
  const colour = (name) =>
    getComputedStyle(document.documentElement)
      .getPropertyValue("--dt-" + name)
      .trim();

  /**
   * A copy of a part of a figure, in the colours of the page.
   * @param {any} part whatever plotly's data and layout hold
   * @returns {any}
   */
  function inPageColours(part) {
    if (typeof part === "string") {
      if (part === BAND) return colour("accent") + BAND_ALPHA;
      return VARIABLES[part] ? colour(VARIABLES[part]) : part;
    }
    if (Array.isArray(part))
      return typeof part[0] === "object" && !Array.isArray(part[0]) ? part.map(inPageColours) : part;
    if (part === null || typeof part !== "object") return part;
    return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, inPageColours(value)]));
  }

  /**
   * @param {string} address
   * @returns {Promise<HTMLImageElement>}
   */
  function loadImage(address) {
    return new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = reject;
      image.src = address;
    });
  }

  /**
   * @param {Blob | null} blob
   * @param {string} name
   */
  function download(blob, name) {
    if (!blob) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER);
  }

  /**
   * The image with a title above it. Plotly would read markup in the title, which holds names from outside.
   * @param {HTMLImageElement} image
   * @param {string} title
   */
  function withTitle(image, title) {
    const canvas = document.createElement("canvas");
    canvas.width = image.width;
    canvas.height = image.height + HEAD * SCALE;
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.fillStyle = colour("surface");
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, HEAD * SCALE);
    pen.fillStyle = colour("text");
    pen.font = "600 " + 16 * SCALE + "px " + getComputedStyle(document.body).fontFamily;
    pen.fillText(title, 16 * SCALE, 29 * SCALE, canvas.width - 32 * SCALE);
    return canvas;
  }

  /** @type {Window["trackerPicture"]["savePicture"]} */
  async function savePicture(plot, title) {
    const [width, height] = [plot.clientWidth, plot.clientHeight];
    const layout = { ...inPageColours(plot.layout), paper_bgcolor: colour("surface"), width, height };
    const address = await window.Plotly.toImage(
      { data: inPageColours(plot.data), layout },
      { format: "png", width, height, scale: SCALE },
    );
    const canvas = withTitle(await loadImage(address), title);
    canvas.toBlob((blob) => download(blob, title.replace(/[^\p{L}\p{M}\p{N}_.-]+/gu, "-") + ".png"), "image/png");
  }

  window.trackerPicture = { savePicture };
})();
