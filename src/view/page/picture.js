/** Pictures of states: shapes in cells, from the numbers of shared marks. */
class Pictures {
  static async of(packed) {
    if (!packed) return null;
    const [size, length, numbers] = await Promise.all([packed.size, packed.length, packed.numbers].map(unpack));
    return new Pictures(packed, size, length, numbers);
  }

  constructor(packed, size, length, numbers) {
    Object.assign(this, {marks: packed.marks, sizes: packed.sizes, size, numbers});
    this.starts = new Uint32Array(length.length + 1);
    for (let k = 0; k < length.length; k++) this.starts[k + 1] = this.starts[k] + length[k];
  }

  draw(k, label) {
    const [rows, cols] = this.sizes[this.size[k]];
    const root = svg("svg", {viewBox: `-0.1 -0.1 ${cols + 0.2} ${rows + 0.2}`, role: "img", "aria-label": label || "State", css: {"max-width": `${Math.max(200, cols * 62)}px`}});
    for (let i = this.starts[k]; i < this.starts[k + 1]; i++) root.append(this.shape(this.marks[this.numbers[i]]));
    return root;
  }

  shape([shape, row, col, colour, size, endRow, endCol, text]) {
    const paint = `var(--p-${colour.replace(/[^a-z]+/g, "-")})`, x = col + 0.5, y = row + 0.5;
    if (shape === "tile") return svg("rect", {x: x - size / 2, y: y - size / 2, width: size, height: size, rx: 0.06, css: {fill: paint}});
    if (shape === "disc") return svg("circle", {cx: x, cy: y, r: size / 2, css: {fill: paint}});
    if (shape === "ring") return svg("circle", {cx: x, cy: y, r: size / 2 - 0.05, fill: "none", "stroke-width": 0.1, css: {stroke: paint}});
    if (shape === "line") return svg("line", {x1: x, y1: y, x2: endCol + 0.5, y2: endRow + 0.5, "stroke-width": size, "stroke-linecap": "round", css: {stroke: paint}});
    const letter = svg("text", {x, y: y + size * 0.36, "text-anchor": "middle", "xml:space": "preserve", css: {fill: paint, "font-size": `${size}px`, "font-weight": 650, "font-family": "var(--mono)"}}, text);
    return letter;
  }
}
