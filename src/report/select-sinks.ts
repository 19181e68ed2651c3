export const outputModes = ['auto', 'tty', 'plain', 'json'] as const;
export type OutputMode = (typeof outputModes)[number];

export interface OutputRequest {
  /** --output. */
  readonly output: OutputMode;
  /** --debug: every command is shown, so there is no room for a live display. */
  readonly debug: boolean;
  /** False with --no-color. */
  readonly color: boolean;
  readonly stderrIsTty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface OutputChoice {
  readonly mode: 'tty' | 'plain' | 'json';
  readonly color: boolean;
}

/**
 * How progress is shown. A mode that was asked for is taken; `auto` is the live display on a terminal that can move
 * its cursor, else plain lines. NO_COLOR counts when it is not empty (no-color.org).
 */
export function selectOutput(request: OutputRequest): OutputChoice {
  const { output, debug, env, stderrIsTty } = request;
  const isDumb = env['TERM'] === 'dumb';
  const noColor = env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '';
  const auto = stderrIsTty && !isDumb && !debug ? 'tty' : 'plain';
  return {
    mode: output === 'auto' ? auto : output,
    color: request.color && !noColor && stderrIsTty && !isDumb,
  };
}
