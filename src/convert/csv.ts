import { ConvertError } from "./conversion.ts";

/** Cells of a database that hold nothing, as exports write them. */
const nothing = new Set(["NULL", "\\N"]);

/**
 * The rows of a table in CSV, by the names in its first line. Quoted cells may hold commas, line ends and quotes, doubled (RFC 4180) or after a
 * backslash (MySQL). An unquoted NULL or \N is null. Comma, semicolon or tab part the cells, whichever the first line has.
 * Throws ConvertError with the line of a row that has another number of cells than the first line.
 */
export function csvRows(text: string): readonly Readonly<Record<string, string | null>>[] {
  const body = text.replace(/^\uFEFF/, "");
  const [header, ...rows] = records(body, separatorOf(body.split(/\r?\n/, 1)[0] ?? ""));
  if (header === undefined) return [];
  const names = header.cells.map((cell) => (cell ?? "").trim());
  return rows.map(({ cells, line }) => {
    if (cells.length !== names.length) {
      throw new ConvertError(`line ${line}`, `has ${cells.length} cells, and the first line names ${names.length}`);
    }
    return Object.fromEntries(names.map((name, index) => [name, cells[index] ?? null]));
  });
}

function separatorOf(firstLine: string): string {
  return [",", ";", "\t"].find((separator) => firstLine.includes(separator)) ?? ",";
}

interface CsvRecord {
  readonly line: number;
  readonly cells: readonly (string | null)[];
}

function records(text: string, separator: string): readonly CsvRecord[] {
  const found: CsvRecord[] = [];
  let cells: (string | null)[] = [];
  let line = 1;
  let begun = 1;
  let at = 0;
  while (at < text.length) {
    const cell = text[at] === '"' ? quotedCell(text, at, begun) : plainCell(text, at, separator);
    cells.push(cell.value);
    line += text.slice(at, cell.end).split("\n").length - 1;
    at = cell.end;
    if (text[at] === separator) {
      at++;
      if (at < text.length && text[at] !== "\n" && text[at] !== "\r") continue;
      cells.push("");
    }
    if (text[at] === "\r") at++;
    if (text[at] === "\n") at++;
    line++;
    if (cells.length > 1 || cells[0] !== "") found.push({ line: begun, cells });
    cells = [];
    begun = line;
  }
  return found;
}

function plainCell(text: string, from: number, separator: string): { readonly value: string | null; readonly end: number } {
  let end = from;
  while (end < text.length && text[end] !== separator && text[end] !== "\n" && text[end] !== "\r") end++;
  const value = text.slice(from, end);
  return { value: nothing.has(value) ? null : value, end };
}

function quotedCell(text: string, from: number, line: number): { readonly value: string; readonly end: number } {
  let value = "";
  for (let at = from + 1; at < text.length; at++) {
    const [character, next] = [text[at], text[at + 1]];
    if ((character === '"' && next === '"') || (character === "\\" && (next === '"' || next === "\\"))) {
      value += next;
      at++;
    } else if (character === '"') return { value, end: at + 1 };
    else value += character;
  }
  throw new ConvertError(`line ${line}`, "a quoted cell has no end");
}
