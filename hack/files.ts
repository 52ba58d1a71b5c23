import { constants } from "node:fs";
import { access } from "node:fs/promises";

/** Whether a path exists. */
export const isThere = (path: string): Promise<boolean> => succeeds(access(path));

/** Whether a path is a program that we may run. */
export const isExecutable = (path: string): Promise<boolean> => succeeds(access(path, constants.X_OK));

/** Whether it resolves. */
export const succeeds = (work: Promise<unknown>): Promise<boolean> =>
  work.then(
    () => true,
    () => false,
  );
