/** What TLS needs to know. All of it PEM. */
export interface ClusterTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Where an API server is and who we are to it, as of one moment. */
export interface ClusterAccess {
  /** A URL without a slash at the end. */
  readonly server: string;
  readonly tls: ClusterTls;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The namespace that the context names, or that of our pod. */
  readonly namespace?: string;
}

/** There is no way to a cluster. The message is one line that says what to do. */
export class CredentialsError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message.trim().replaceAll(/\s*\n\s*/g, " "), options);
    this.name = "CredentialsError";
  }
}
