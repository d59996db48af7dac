/** Prometheus' `SanitizeLabelName` (util/strutil): what no label name may hold becomes an underscore. For the end of a name that begins well. */
export const sanitizeLabelName = (name: string): string => name.replace(/[^a-zA-Z0-9_]/gu, '_');
