import { writeSync } from 'node:fs';
import { ListrLogger, ProcessOutput, Listr, type ListrTask, type ListrTaskWrapper, type DefaultRenderer } from 'listr2';
import { createEndReport, type ReportOutput } from './end-report.ts';
import type { RunEvent, Sink } from './events.ts';
import { createPaint, type Paint } from './format.ts';
import { createTtyModel, type PhaseView } from './tty-model.ts';

export interface TtyOptions extends ReportOutput {
  /** The terminal: stderr, so that stdout stays for results. */
  readonly stream: NodeJS.WriteStream & { readonly fd: number };
  readonly now: () => number;
}

type Wrapper = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof DefaultRenderer>;

/** A task of the list and the switch that ends it. */
interface Row {
  readonly task: ListrTask<unknown, typeof DefaultRenderer, typeof DefaultRenderer>;
  wrapper: Wrapper | undefined;
  shown: { title: string; output: string };
  readonly settle: (view: PhaseView | undefined) => void;
}

/** A title that the renderer leaves out: every task of the list runs from the start, and only phases under way are shown. */
const hiddenTitle = ' ';
/** The display takes at most ten changes a second, whatever the number of hosts and events. */
const tickMs = 100;
/** Lines below the finished phases: phases under way with their output, and the footer. */
const reservedRows = 10;
const showCursor = '\u001B[?25h';

/**
 * The live display: a listr2 list of the phases, fed from events. Events only change the model; the list is brought up
 * to date by a timer, so a burst of events from many hosts costs nothing on the screen.
 */
export function createTtySink(options: TtyOptions): Sink {
  const model = createTtyModel();
  const end = createEndReport(options);
  const rows = new Map<string, Row>();
  const footer = createRow(undefined, '');
  let display: Promise<unknown> | undefined;
  let timer: NodeJS.Timeout | undefined;

  // Whatever ends the process, the cursor comes back. listr2 holds back writes to the stream, hence the descriptor.
  const restoreCursor = (): void => {
    try {
      writeSync(options.stream.fd, showCursor);
    } catch {
      // The terminal is gone, and so is its cursor.
    }
  };

  function update(): void {
    const nowMs = options.now();
    for (const view of model.phases(nowMs)) {
      const row = rows.get(view.id);
      if (row === undefined || view.status === 'waiting') continue;
      if (view.status === 'running') show(row, view.title, view.output);
      else row.settle(isShort(options.stream, rows.size) && !isBadView(view) ? { ...view, title: hiddenTitle } : view);
    }
    show(footer, undefined, model.footer(nowMs));
  }

  function start(event: Extract<RunEvent, { type: 'run.started' }>): void {
    for (const { id } of event.phases) rows.set(id, createRow(id, hiddenTitle));
    const tasks = [...rows.values(), footer].map((row) => row.task);
    process.once('exit', restoreCursor);
    display = createList(tasks, options).run();
    timer = setInterval(update, tickMs);
  }

  return {
    handle(event) {
      model.apply(event);
      end.add(event);
      if (event.type === 'run.started' && display === undefined) start(event);
    },
    async close() {
      if (display !== undefined) {
        clearInterval(timer);
        update();
        // Phases that were never reached leave no line; those cut off in the middle do.
        for (const view of model.phases(options.now())) {
          rows.get(view.id)?.settle(view.status === 'running' ? { ...view, status: 'interrupted' } : undefined);
        }
        footer.settle(undefined);
        await display;
        process.removeListener('exit', restoreCursor);
        restoreCursor();
      }
      end.write();
    },
  };
}

function createRow(id: string | undefined, title: string): Row {
  const { promise, resolve } = Promise.withResolvers<PhaseView | undefined>();
  const row: Row = {
    wrapper: undefined,
    shown: { title, output: '' },
    settle: resolve,
    task: {
      ...(id === undefined ? {} : { title }),
      task: async (_context, wrapper) => {
        row.wrapper = wrapper;
        const view = await promise;
        if (view === undefined) return;
        if (isBadView(view)) throw new Error(view.title);
        if (view.status === 'skipped') wrapper.skip(view.title);
        else wrapper.title = view.title;
      },
    },
  };
  return row;
}

/** Brings a row of the list up to date; what has not changed is not touched, for each change is a new frame. */
function show(row: Row, title: string | undefined, output: string): void {
  const { wrapper, shown } = row;
  if (wrapper === undefined) return;
  if (title !== undefined && title !== shown.title) wrapper.title = title;
  if (output !== shown.output) wrapper.output = output;
  row.shown = { title: title ?? shown.title, output };
}

function isBadView(view: PhaseView): boolean {
  return view.status === 'failed' || view.status === 'interrupted';
}

function isShort(stream: NodeJS.WriteStream, phaseCount: number): boolean {
  return stream.rows > 0 && stream.rows < phaseCount + reservedRows;
}

function createList(tasks: Row['task'][], options: TtyOptions): Listr<unknown, 'default', 'default'> {
  const rendererOptions = {
    formatOutput: 'truncate' as const,
    logger: new ListrLogger<string>({ processOutput: new ProcessOutput(options.stream, options.stream) }),
    color: colorsOf(createPaint(options.color)),
  };
  return new Listr<unknown, 'default', 'default'>(tasks, {
    concurrent: true,
    exitOnError: false,
    // Signals are main's: it lets running commands end first.
    registerSignalListeners: false,
    renderer: 'default',
    rendererOptions,
    // listr2 asks whether stdout is a terminal; here stderr is what counts.
    fallbackRenderer: 'default',
    fallbackRendererOptions: rendererOptions,
  });
}

function colorsOf(paint: Paint): Record<string, (text?: string) => string> {
  return {
    PENDING: (text = '') => paint('warn', text),
    COMPLETED: (text = '') => paint('good', text),
    FAILED: (text = '') => paint('bad', text),
    SKIPPED_WITH_COLLAPSE: (text = '') => paint('dim', text),
    OUTPUT: (text = '') => paint('dim', text),
    OUTPUT_WITH_BOTTOMBAR: (text = '') => paint('dim', text),
  };
}
