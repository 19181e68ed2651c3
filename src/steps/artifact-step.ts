import type { Artifact } from '../artifacts/catalog.ts';
import { blocked, changes, noChanges, type Step } from '../engine/step.ts';
import type { FetchAction } from '../ops/action.ts';
import { artifactQuery, type ArtifactSeen } from '../ops/query.ts';

export interface ArtifactStepInput {
  readonly artifact: Artifact;
  readonly install: FetchAction['install'];
  readonly verifyContent: boolean;
  /** Servers of its addresses that not everybody is let in to. */
  readonly servers?: FetchAction['servers'];
  /** Where it is fetched from instead; asked anew for each plan. */
  readonly source?: (() => Pick<FetchAction, 'url' | 'sha256'>) | undefined;
}

/** Makes the files of a release archive, or a single binary, be on the host as published. The host fetches them itself. */
export function artifactStep(input: ArtifactStepInput): Step {
  const { artifact, install, verifyContent } = input;
  const query = artifactQuery(artifact.name, verifyContent);
  const fetch = (): FetchAction => ({
    kind: 'fetch',
    name: artifact.name,
    version: artifact.version,
    url: artifact.url,
    sha256: artifact.sha256,
    checksumUrl: artifact.checksumUrl ?? `${artifact.url}.sha256`,
    install,
    servers: input.servers,
    ...input.source?.(),
  });
  return {
    id: artifact.name,
    observe: [query],
    plan(seen) {
      const answer = seen(query);
      if (answer.state === 'unknown') {
        return blocked(
          'RECORD_UNREADABLE',
          `cannot read the record of ${artifact.name}: ${answer.reason}`,
          'see whether the file system is healthy, then run again',
        );
      }
      const reason = differs(answer.state === 'present' ? answer.value : undefined, artifact);
      if (reason === undefined) return noChanges;
      return changes({ summary: `install ${artifact.name} ${artifact.version} (${reason})`, actions: [fetch()] });
    },
  };
}

function differs(seen: ArtifactSeen | undefined, artifact: Artifact): string | undefined {
  if (seen === undefined) return 'not installed by this installer yet';
  if (seen.version !== artifact.version) return `${seen.version} is installed`;
  if (artifact.sha256 !== undefined && seen.sourceSha256 !== artifact.sha256)
    return 'the installed release has another digest';
  if (seen.altered.length > 0) return `altered since: ${seen.altered.join(', ')}`;
  return undefined;
}
