/** The words of whatever was thrown. An error's class does not survive an object's door; its message does. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
