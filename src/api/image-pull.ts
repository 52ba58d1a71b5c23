const imagePullReasons: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "ImageInspectError",
  "RegistryUnavailable",
]);

/** Whether a waiting reason of a container, in the kubelet's words, is about its image. */
export const isImagePull = (reason: string | undefined): boolean => reason !== undefined && imagePullReasons.has(reason);
