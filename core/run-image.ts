/** The image that a run's steps run in, as it was found when the run started: a tag that moves later changes nothing. */
export interface RunImage {
  /** What the configuration names, or the tag of the image that Signalbox built. */
  reference: string;
  /** The engine's name of its content, `sha256:…`. Steps run exactly this. */
  id: string;
  /** The same content as its registry knows it, `repository@sha256:…`; `null` if it was made on this machine. */
  digest: string | null;
}
