import { readFile } from "node:fs/promises";
import type { Logger } from "../api/logger.ts";
import type { Clock } from "../base/clock.ts";
import type { TraceStore } from "./store.ts";
import type { TraceTarget } from "./target.ts";

/** Files that a store needs beside its address. */
export interface TraceFiles {
  /** Holds the bearer token for `nuptse trace`; read anew once a minute. */
  readonly tokenFile?: string;
  /** Authorities of the certificate of `nuptse trace`, PEM; read at each new connection. */
  readonly caFile?: string;
  /** Holds the password for PostgreSQL; read at each new connection. Absent: the URL's, or $PGPASSWORD. */
  readonly passwordFile?: string;
}

/** Makes the store of a target, whose code is loaded only then. Nothing is connected, opened or read yet. */
export async function openTraceStore(
  target: Exclude<TraceTarget, { readonly kind: "none" }>,
  options: { readonly clock: Clock; readonly logger: Logger; readonly files?: TraceFiles },
): Promise<TraceStore> {
  const { clock, logger, files = {} } = options;
  const textOf = (path: string) => async () => (await readFile(path, "utf8")).trim();
  switch (target.kind) {
    case "sqlite": {
      const { createSqliteStore } = await import("./sqlite-store.ts");
      return createSqliteStore({ path: target.path, clock });
    }
    case "http": {
      const { createHttpStore } = await import("./http-store.ts");
      return createHttpStore({
        url: target.url,
        clock,
        ...(files.tokenFile !== undefined && { token: textOf(files.tokenFile) }),
        ...(files.caFile !== undefined && { ca: textOf(files.caFile) }),
      });
    }
    case "postgres": {
      const { createPostgresStore } = await import("./postgres-store.ts");
      return createPostgresStore({
        url: target.url,
        logger,
        ...(files.passwordFile !== undefined && { password: textOf(files.passwordFile) }),
      });
    }
  }
}
