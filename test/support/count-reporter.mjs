/**
 * Jest's reporter that prints one last line on stdout, `N passed, N failed`, and `, N skipped` where there are any. A test
 * file that could not be run counts as a failed test. In CI a skipped test fails the run.
 */
export default class CountReporter {
  onRunComplete(_contexts, results) {
    const skipped = results.numPendingTests + results.numTodoTests;
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const counts = [`${results.numPassedTests} passed`, `${failed} failed`];
    if (skipped > 0) counts.push(`${skipped} skipped`);
    // `npm test` is asked for all tests; with a name pattern the others count as skipped, on purpose.
    if (process.env.CI === 'true' && skipped > 0) {
      this.error = new Error(`${skipped} tests were skipped, which CI does not allow`);
      process.stderr.write(`error: ${this.error.message}\n`);
      process.exitCode = 1;
    }
    process.stdout.write(`${counts.join(', ')}\n`);
  }

  getLastError() {
    return this.error;
  }
}
