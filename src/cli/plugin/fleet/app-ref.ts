const form = /^(?:ra|runnerapps?(?:\.nuptse\.dev)?)\/(.+)$/;

/** The name in "ra/web" or "runnerapp.nuptse.dev/web"; undefined when it names no RunnerApp. Where a job may be meant too, only this does. */
export const appRefOf = (text: string): string | undefined => form.exec(text)?.[1];

/** The same, or the name alone. */
export const appNameOf = (text: string): string => appRefOf(text) ?? text;
