import { defineConfig } from 'vitest/config';

const e2e = ['test/e2e/**/*.e2e.test.ts', 'test/lab/**/*.e2e.test.ts'];
const minuteMs = 60_000;

export default defineConfig({
  test: {
    // A suite whose files are not written yet is no failure; the counts at the end of `npm test` show it.
    passWithNoTests: true,
    restoreMocks: true,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/*.test.ts', 'test/{lab,support}/**/*.test.ts'],
          exclude: e2e,
          testTimeout: 10_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/install-tools.ts'],
          testTimeout: minuteMs,
          hookTimeout: 2 * minuteMs,
        },
      },
      {
        test: {
          name: 'e2e',
          include: e2e,
          // The suites share one set of machines.
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 30 * minuteMs,
          hookTimeout: 45 * minuteMs,
        },
      },
    ],
  },
});
