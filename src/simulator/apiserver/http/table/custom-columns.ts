import type { CustomResourceVersion } from "../../../../api/core.ts";
import type { KubeObject } from "../../../../api/meta.ts";
import { ageSince } from "./age.ts";
import { type Cell, type ColumnDefinition, nameColumn, type RowPrinter } from "./columns.ts";
import { type JsonPath, parseJsonPath } from "./json-path.ts";

type PrinterColumn = NonNullable<CustomResourceVersion["additionalPrinterColumns"]>[number];

/** What a CRD without columns of its own is shown with. */
const defaultColumns: readonly PrinterColumn[] = [
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "The time since the object was created." },
];

/**
 * Custom resources with the columns that their CRD declares. A path that leads nowhere, or fails, gives an empty cell.
 * Throws SyntaxError when a path of the CRD cannot be read.
 */
export function customPrinter(version: CustomResourceVersion): RowPrinter {
  const declared = version.additionalPrinterColumns ?? [];
  const printed = (declared.length === 0 ? defaultColumns : declared).map((each) => ({
    definition: definition(each),
    path: parseJsonPath(each.jsonPath),
  }));
  return {
    columns: [nameColumn, ...printed.map((each) => each.definition)],
    cells: (object, now) => [
      (object as KubeObject).metadata.name,
      ...printed.map((each) => cellOf(each.path, each.definition.type, object, now)),
    ],
  };
}

function definition(declared: PrinterColumn): ColumnDefinition {
  return {
    name: declared.name,
    type: declared.type,
    format: declared.format ?? "",
    description: declared.description || `Custom resource definition column (in JSONPath format): ${declared.jsonPath}`,
    priority: declared.priority ?? 0,
  };
}

function cellOf(path: JsonPath, type: string, object: unknown, now: number): Cell {
  let value: unknown;
  try {
    [value] = path.evaluate(object);
  } catch {
    return null;
  }
  if (value === undefined || value === null) return null;
  switch (type) {
    case "string":
      return typeof value === "object" ? JSON.stringify(value) : String(value);
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      return typeof value === "string" ? ageSince(value, now) : null;
    default:
      return null;
  }
}
