/** Exit codes of the process; documented in docs/exit-codes.md. */
export const exitCodes = {
  ok: 0,
  internal: 1,
  usage: 2,
  precheckFailed: 3,
  operationFailed: 4,
  partlyDone: 5,
  driftFound: 6,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export interface InstallerErrorOptions {
  /** Stable identifier, upper snake case: SSH_AUTH_FAILED. Callers decide on this, never on the message. */
  readonly code: string;
  /** What happened and where, one sentence. */
  readonly message: string;
  /** What the reader can do next, one sentence. */
  readonly remedy?: string | undefined;
  /** Name of the host concerned, as in the cluster file. */
  readonly host?: string | undefined;
  /** More lines for the report: the command, the end of its output. */
  readonly details?: readonly string[] | undefined;
  readonly cause?: unknown;
  /** Defaults to operationFailed (4). */
  readonly exitCode?: ExitCode | undefined;
}

/** An expected failure: it says what, where, why and what next. */
export class InstallerError extends Error {
  readonly code: string;
  readonly remedy: string | undefined;
  readonly host: string | undefined;
  readonly details: readonly string[];
  readonly exitCode: ExitCode;

  constructor(options: InstallerErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'InstallerError';
    this.code = options.code;
    this.remedy = options.remedy;
    this.host = options.host;
    this.details = options.details ?? [];
    this.exitCode = options.exitCode ?? exitCodes.operationFailed;
  }
}

/** A defect of this program: something the code itself rules out has happened. */
export class InternalError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'InternalError';
  }
}

/** Several independent failures reported together; the exit code is that of the first. */
export class InstallerErrors extends Error {
  readonly errors: readonly InstallerError[];

  constructor(errors: readonly InstallerError[]) {
    super(errors.map((error) => error.message).join('\n'));
    this.name = 'InstallerErrors';
    this.errors = errors;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
