// Keeps the messages and stack traces of failures in payloads, so that they are encrypted like everything else.
// CommonJS, since Temporal's SDK loads it by `require`, and bundles it with the workflows.
const { DefaultFailureConverter } = require('@temporalio/common');

exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
