/** `/api/v1/status/…` and `/api/v1/features`, as an agent of Prometheus answers them. */

import { redactConfig } from '../../config/redact.ts';
import { success } from '../envelope.ts';
import { features, flags, runtimeInfo } from '../server-info.ts';
import { type Handler, versionData } from './handler.ts';

export const config: Handler = async (c) => {
  const { version, text: yaml } = await c.env.services.config();
  return success({ yaml: redactConfig(yaml), ...versionData(version) });
};

export const buildinfo: Handler = (c) =>
  success({
    application: 'Narthex',
    version: c.env.version,
    revision: '',
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: '',
  });

export const showFeatures: Handler = (c) => success(features(c.env.services.features));

export const showFlags: Handler = (c) => success(flags(c.env.services.features));

export const showRuntimeInfo: Handler = async (c, _caller, memory) => {
  const status = await memory.status(c.env.services);
  return success(runtimeInfo(status, memory.startedAtMs(c.env.services), memory.lastReloadOk));
};

/** Nothing is read again at a start: the log is where it was. */
export const walReplay: Handler = () => success({ min: 0, max: 0, current: 0 });
