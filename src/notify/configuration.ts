import { readFile } from "node:fs/promises";
import { load } from "js-yaml";
import { parseReceivers, type Receiver, ReceiverError, type Receivers } from "./receiver.ts";

/**
 * Reads the file of `--config`, and tries every file with a secret that it names, so that a typo is told at the start.
 * @throws ReceiverError with the file, the field and what would be right.
 */
export async function readConfiguration(file: string): Promise<Receivers> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new ReceiverError(`--config ${file}: ${(error as Error).message}`);
  }
  try {
    const configuration = parseReceivers(load(text));
    for (const [index, receiver] of configuration.receivers.entries()) await trySecrets(receiver, `receivers[${index}]`);
    return configuration;
  } catch (error) {
    throw new ReceiverError(`--config ${file}: ${(error as Error).message}`);
  }
}

async function trySecrets(receiver: Receiver, path: string): Promise<void> {
  for (const field of ["urlFile", "signingKeyFile", "bearerTokenFile"] as const) {
    const name = receiver[field];
    if (name === undefined) continue;
    const secret = await readSecret(name).catch((error: Error) => {
      throw new ReceiverError(`${path}.${field}: ${error.message}`);
    });
    if (secret === "") throw new ReceiverError(`${path}.${field}: ${name} is empty`);
  }
}

/** The content of a file with a secret, without the line's end. */
export async function readSecret(path: string): Promise<string> {
  return (await readFile(path, "utf8")).trim();
}
