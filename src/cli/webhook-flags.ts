import { isIP } from "node:net";
import { type Command, InvalidArgumentError } from "commander";
import { type BindAddress, bindAddress } from "./flag-values.ts";

/** How long the webhook's certificates last and overlap, in milliseconds. */
export interface CertificateDurations {
  readonly validMs: number;
  readonly renewMs: number;
  readonly overlapMs: number;
}

/** Where and how the operator serves its admission webhooks. */
export interface WebhookFlags {
  /** Absent = they are not served. */
  readonly webhookBindAddress?: BindAddress;
  readonly webhookService: string;
  readonly webhookHost?: readonly string[];
  readonly webhookSecret: string;
  readonly webhookValidatingConfiguration: string;
  readonly webhookMutatingConfiguration: string;
  readonly webhookCertificateSeconds: CertificateDurations;
  /** Both or neither: the certificate that somebody else keeps. */
  readonly webhookTlsCertFile?: string;
  readonly webhookTlsKeyFile?: string;
  /** Certificates that are kept for others. */
  readonly certificate?: readonly KeptCertificateFlag[];
}

/** A Secret that is kept, and the names that its certificate answers to. */
export interface KeptCertificateFlag {
  readonly secret: string;
  readonly names: readonly string[];
}

const defaultDurations = "7776000/2592000/600";

/** Adds --webhook-bind-address and what belongs to it. */
export function addWebhookOptions(command: Command): Command {
  command
    .option(
      "--webhook-bind-address <address>",
      "where the admission webhooks are served, over HTTPS, such as :9443 (default: they are not; docs/admission.md)",
      bindAddress,
    )
    .option(
      "--webhook-service <name>",
      "the Service by which the API server calls the webhooks, in the namespace of the Lease",
      objectName,
      "nuptse-webhook",
    )
    .option(
      "--webhook-host <names>",
      "more host names and addresses by which it calls them, with commas between: for configurations with a URL",
      hostNames,
    )
    .option(
      "--webhook-secret <name>",
      "the Secret in which the operator keeps the webhooks' certificates, in the namespace of the Lease",
      objectName,
      "nuptse-webhook-tls",
    )
    .option(
      "--webhook-validating-configuration <name>",
      "the ValidatingWebhookConfiguration that the operator writes its authorities into",
      objectName,
      "nuptse",
    )
    .option("--webhook-mutating-configuration <name>", "the MutatingWebhookConfiguration likewise", objectName, "nuptse")
    .option(
      "--webhook-certificate-seconds <seconds>",
      "how long a certificate is valid/how long before its end the next one is introduced/how long both authorities are told " +
        "before that is served and afterwards, in seconds; shorter ones are for tests",
      certificateDurations,
      certificateDurations(defaultDurations),
    )
    .option(
      "--webhook-tls-cert-file <file>",
      "serve the webhooks with this certificate, PEM, in place of one that the operator keeps; read anew once a minute",
    )
    .option("--webhook-tls-key-file <file>", "the certificate's key, PEM")
    .option(
      "--certificate <secret=names...>",
      "keep a certificate for these host names in this Secret, in the namespace of the Lease, for those who mount it, such as " +
        "nuptse-trace-tls=nuptse-trace.nuptse-system.svc; may be given several times (default: none is kept)",
      keptCertificate,
    );
  command.options
    .find((option) => option.attributeName() === "webhookCertificateSeconds")
    ?.default(certificateDurations(defaultDurations), defaultDurations);
  return command;
}

/** Ends the command with a line when something is said of webhooks that are not served, or one of two files is missing. */
export function checkWebhookFlags(command: Command): void {
  const { webhookTlsCertFile, webhookTlsKeyFile, webhookBindAddress } = command.opts<WebhookFlags>();
  if ((webhookTlsCertFile === undefined) !== (webhookTlsKeyFile === undefined))
    command.error("error: --webhook-tls-cert-file and --webhook-tls-key-file belong together: give both, or neither");
  if (webhookBindAddress !== undefined) return;
  const given = command.options.find(
    (option) => option.attributeName().startsWith("webhook") && command.getOptionValueSource(option.attributeName()) === "cli",
  );
  if (given === undefined) return;
  // How long certificates last is said of all that are kept.
  if (given.attributeName() === "webhookCertificateSeconds" && command.getOptionValue("certificate") !== undefined) return;
  command.error(`error: ${given.long} has no effect without --webhook-bind-address, which serves the webhooks`);
}

/** "nuptse-trace-tls=nuptse-trace.nuptse-system.svc,trace.example" */
function keptCertificate(text: string, before: readonly KeptCertificateFlag[] | undefined): readonly KeptCertificateFlag[] {
  const [secret = "", names = "", ...more] = text.split("=");
  if (more.length > 0 || names === "")
    throw new InvalidArgumentError("Write the name of a Secret, an equals sign, and host names with commas between.");
  return [...(before ?? []), { secret: objectName(secret), names: hostNames(names) }];
}

const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** A DNS label, as Services need it. */
function objectName(text: string): string {
  if (!dnsLabel.test(text)) throw new InvalidArgumentError("Write a name of at most 63 lower-case letters, digits and '-'.");
  return text;
}

function hostNames(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) {
    const isName = name.length <= 253 && name.split(".").every((label) => dnsLabel.test(label));
    if (isIP(name) === 0 && !isName) {
      throw new InvalidArgumentError("Write host names and IP addresses with commas between, such as nuptse.example.org,10.0.0.7.");
    }
  }
  return names;
}

/** "7776000/2592000/600" */
export function certificateDurations(text: string): CertificateDurations {
  const parts = text.split("/");
  const [valid = 0, renew = 0, overlap = 0] = parts.map(Number);
  const isWellFormed = parts.length === 3 && parts.every((part) => /^\d{1,9}$/.test(part));
  // The next certificate must be served, and the older one forgotten, before either ends.
  if (!isWellFormed || !(valid > renew && renew > 2 * overlap && overlap > 0)) {
    throw new InvalidArgumentError(
      `Write valid/renewed before the end/overlap in whole seconds such as ${defaultDurations}: the first longer than the second, the second more than twice the third.`,
    );
  }
  return { validMs: valid * 1000, renewMs: renew * 1000, overlapMs: overlap * 1000 };
}
