/** The two ways a command ends badly. Anything else that is thrown is a bug, and shown with its stack. */

/** It could not be done: exit code 1. The message says what, where, and the way out. */
export class Failure extends Error {}

/** It was called wrongly: exit code 2. The usage of the command is shown below the message. */
export class UsageError extends Error {}
