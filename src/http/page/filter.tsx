/** The form above a list of targets: pool, state, words. */

import type { FC } from 'hono/jsx';
import type { Selection } from './selection.ts';

interface FilterProps {
  readonly action: string;
  readonly selection: Selection;
  readonly jobs: readonly string[];
  readonly states: readonly (readonly [value: string, name: string])[];
  readonly hint: string;
}

export const Filter: FC<FilterProps> = ({ action, selection, jobs, states, hint }) => (
  <form class="filter" action={action} method="get">
    <label class="search">
      <span>Search</span>
      <input type="search" name="search" value={selection.search} placeholder={hint} autocomplete="off" />
    </label>
    <label>
      <span>Scrape pool</span>
      <Choice name="scrapePool" chosen={selection.scrapePool} options={jobs.map((job) => [job, job])} all="All pools" />
    </label>
    <label>
      <span>State</span>
      <Choice name="state" chosen={selection.state} options={states} all="Any state" />
    </label>
    <button>Show</button>
  </form>
);

interface ChoiceProps {
  readonly name: string;
  readonly chosen: string;
  readonly options: readonly (readonly [value: string, name: string])[];
  /** What no choice is called; absent when one must be chosen. */
  readonly all?: string;
}

export const Choice: FC<ChoiceProps> = ({ name, chosen, options, all }) => (
  <select name={name}>
    {all === undefined ? null : <option value="">{all}</option>}
    {options.map(([value, shown]) => (
      <option value={value} {...(value === chosen ? { selected: true } : {})}>
        {shown}
      </option>
    ))}
  </select>
);
