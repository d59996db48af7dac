/** The pages' style sheet, inline: a page is one answer. It is hashed into its policy. */

export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #faf8f5; --card: #fff; --ink: #25211c; --soft: #6d665d; --line: #e6e0d7; --rest: #eee9e1;
  --ember: #b4500f; --good: #2c7a4b; --warn: #94660a; --bad: #b02a20; --idle: #8a8278; --error: #fbefec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #171513; --card: #1f1c19; --ink: #ebe6de; --soft: #a29a8f; --line: #332e29; --rest: #2f2a26;
    --ember: #f0914d; --good: #6cc08b; --warn: #e0b050; --bad: #f08a7e; --idle: #8f877c; --error: #33211e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.page { max-width: 66rem; margin: 0 auto; padding: 2rem 1.5rem 3rem; }
h1, h2, h3, h4, p, dl, dd, ol, ul { margin: 0; padding: 0; }
a { color: var(--ember); text-underline-offset: .2em; }
code { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.num { font-variant-numeric: tabular-nums; white-space: nowrap; }
.quiet, .lead, .aside { color: var(--soft); }
.small { font-size: .86rem; }
.bad-text { color: var(--bad); }
.warn-text { color: var(--warn); }

header { display: flex; flex-wrap: wrap; gap: .35rem 2rem; justify-content: space-between; align-items: end; }
h1 { display: flex; gap: .55rem; align-items: center; font-size: 1.6rem; font-weight: 650; letter-spacing: -.01em; line-height: 1.2; }
h1 svg { width: 1.75rem; height: 1.75rem; flex: none; }
header .what { color: var(--soft); }
header .versions { text-align: right; color: var(--soft); font-size: .86rem; }
header .versions strong { color: var(--ink); font-weight: 600; }

.flow { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); margin: 1.6rem 0 0;
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.flow a { display: block; height: 100%; padding: .8rem 1rem .85rem; color: inherit; text-decoration: none; border-left: 1px solid var(--line); margin-left: -1px; }
.flow a:hover { background: var(--rest); }
.flow .name { display: block; font-size: .8rem; color: var(--soft); }
.flow .value { display: block; font-size: 1.45rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; letter-spacing: -.01em; }
.flow .more { display: block; font-size: .8rem; color: var(--soft); }

.notices { list-style: none; margin: 1rem 0 0; padding: .7rem 1rem; border-radius: 10px; border: 1px solid var(--line); background: var(--card); }
.notices.calm { color: var(--soft); }
.notices li { overflow-wrap: anywhere; }
.notices li + li { margin-top: .2rem; }
.notices a { color: inherit; }

nav { display: flex; flex-wrap: wrap; gap: .2rem 1.3rem; margin-top: 1.1rem; border-bottom: 1px solid var(--line); }
nav a { padding: .35rem 0; color: var(--soft); text-decoration: none; border-bottom: 2px solid transparent; margin-bottom: -1px; }
nav a:hover { color: var(--ink); }
nav a[aria-current] { color: var(--ink); font-weight: 600; border-color: var(--ember); }

.filter { display: flex; flex-wrap: wrap; gap: .7rem; align-items: end; margin-top: 1.3rem; }
.filter label { display: block; }
.filter label > span { display: block; font-size: .8rem; color: var(--soft); margin-bottom: .2rem; }
.filter .search { flex: 1 1 16rem; }
input, select, textarea, button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .45rem .7rem; }
input, select { height: 2.45rem; }
input, textarea { width: 100%; }
select { max-width: 16rem; }
textarea { font: .86rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; resize: vertical; }
input::placeholder { color: var(--idle); }
:is(input, select, textarea, button, summary, a):focus-visible { outline: 2px solid var(--ember); outline-offset: 1px; }
button { cursor: pointer; background: var(--ember); border-color: var(--ember); color: var(--paper); }
.filter.live button { display: none; }
.filter.relabel { display: grid; justify-items: start; margin-bottom: .9rem; }
.filter.relabel .search { width: 100%; }

.tally { margin-top: 1.1rem; }
.tally .mark { margin-right: .9rem; }
.pool { margin-top: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.pool > summary { display: flex; flex-wrap: wrap; gap: .2rem 1rem; align-items: center; padding: .75rem 1.1rem; cursor: pointer; list-style: none; }
.pool > summary::-webkit-details-marker { display: none; }
.pool > summary::before { content: ""; width: .42em; height: .42em; border: solid var(--soft); border-width: 0 2px 2px 0; transform: rotate(-45deg); flex: none; }
.pool[open] > summary::before { transform: rotate(45deg) translate(-.1em, -.1em); }
.pool > summary .name { font-weight: 600; overflow-wrap: anywhere; }
.pool > summary .bar { width: 7rem; margin-left: auto; }
.pool table { border: 0; border-top: 1px solid var(--line); border-radius: 0; background: none; }
.pool .more { padding: .5rem 1.1rem .8rem; }
.endpoint { font-weight: 500; overflow-wrap: anywhere; color: inherit; text-decoration-color: var(--line); }
.endpoint:hover { text-decoration-color: currentColor; }
.endpoints td.wide { width: 64%; }
.endpoints td:first-child, .endpoints td:nth-child(3) { white-space: nowrap; }
.bar.split .rest { fill: var(--bad); }
.labels { display: block; margin-top: .2rem; font-size: .86rem; }
.labels .label:last-child { margin-right: 0; }
.labels b { font-weight: 500; color: var(--ink); }
.found td { width: 55%; } .found td + td { width: 45%; }
.found .below { display: block; margin-top: .3rem; }

.steps { list-style: none; counter-reset: step; margin-top: 1.3rem; }
.steps > li { counter-increment: step; position: relative; padding: .9rem 1.1rem .9rem 3.2rem; background: var(--card); border: 1px solid var(--line); border-bottom-width: 0; }
.steps > li:first-child { border-radius: 10px 10px 0 0; } .steps > li:last-child { border-radius: 0 0 10px 10px; border-bottom-width: 1px; }
.steps > li:only-child { border-radius: 10px; }
.steps > li::before { content: counter(step); position: absolute; left: 1.1rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.steps .block { margin: 0 0 .5rem; }
.steps .skipped { opacity: .55; }
.changes { list-style: none; }
del { color: var(--bad); } ins { color: var(--good); text-decoration: none; }
.all { margin-top: .4rem; } .all summary { cursor: pointer; } .all .labels + .labels { border-top: 1px dashed var(--line); margin-top: .4rem; padding-top: .4rem; }

section { margin-top: 2.4rem; }
h2 { font-size: 1.12rem; font-weight: 650; margin-bottom: .7rem; }
h2 .lead { font-weight: 400; font-size: .9rem; margin-left: .35rem; }
h3 { font-size: 1rem; font-weight: 600; margin-bottom: .6rem; }
h4 { font-size: .95rem; font-weight: 500; }
.aside { font-weight: 400; font-size: .86rem; margin-left: .6rem; }
.card, table, .empty { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.card { padding: 1rem 1.1rem; }
.card + .card { margin-top: .8rem; }
.card .empty { margin-top: .9rem; background: none; border-style: dashed; }
.empty { padding: .9rem 1.1rem; color: var(--soft); }
.empty code { color: var(--ink); }
code.block { display: block; white-space: pre-wrap; margin-top: .5rem; }
.consumer { border-top: 1px solid var(--line); margin-top: 1rem; padding-top: .9rem; }
.consumer .facts { margin-top: .5rem; }
.range .bar { margin: .5rem 0 .35rem; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.6rem, 1fr)); gap: .55rem 1.2rem; }
.facts ~ p, .facts ~ div.small { margin-top: .7rem; }
.facts dt { font-size: .8rem; color: var(--soft); }
.facts dd { font-weight: 500; }
.reasons > span { display: block; }
.meter { margin-bottom: .8rem; }
.meter .bar { margin-bottom: .3rem; }
.bar { display: block; width: 100%; height: 6px; border-radius: 3px; }
.bar .rest { fill: var(--rest); }
.bar.good .fill { fill: var(--good); } .bar.idle .fill { fill: var(--idle); } .bar.warn .fill { fill: var(--warn); } .bar.bad .fill { fill: var(--bad); }

.hour { display: block; width: 100%; max-width: 15rem; height: 1.6rem; margin-top: .2rem; }
.hour .rest { fill: var(--line); } .hour .fill { fill: var(--ember); }

.mark { white-space: nowrap; font-weight: 600; font-size: .86rem; }
.mark::before { content: ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%; margin-right: .45em; background: currentColor; vertical-align: .06em; }
.mark.good { color: var(--good); } .mark.warn { color: var(--warn); } .mark.bad { color: var(--bad); } .mark.idle { color: var(--idle); }
.error { display: block; margin-top: .3rem; padding: .3rem .55rem; border-radius: 6px; background: var(--error); color: var(--bad); white-space: pre-wrap; }
.error.past { background: var(--rest); color: var(--soft); }
.label { display: inline-block; margin-right: .6rem; color: var(--soft); overflow-wrap: anywhere; }
.instance { font-weight: 500; overflow-wrap: anywhere; }

table { width: 100%; border-collapse: separate; border-spacing: 0; }
th { text-align: left; font-weight: 500; font-size: .8rem; color: var(--soft); padding: .6rem .7rem .45rem; white-space: nowrap; }
td { padding: .55rem .7rem; border-top: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { padding-left: 1.1rem; } th:last-child, td:last-child { padding-right: 1.1rem; }
.right { text-align: right; }
td.wide { width: 45%; }
td .below { display: block; }
td.wide > .small { display: block; overflow-wrap: anywhere; }
table + p { margin-top: .6rem; }

footer { margin-top: 2.6rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .86rem; display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; }
#lost { position: sticky; top: 0; z-index: 1; padding: .5rem 1rem; text-align: center; background: var(--bad); color: var(--paper); font-size: .9rem; }
#lost[hidden] { display: none; }

@media (max-width: 44rem) {
  .page { padding: 1.2rem .9rem 2.5rem; }
  header .versions { text-align: left; }
  .flow { grid-template-columns: repeat(2, 1fr); }
  .flow li:first-child { grid-column: 1 / -1; }
  .flow li + li a { border-top: 1px solid var(--line); }
  h2 .lead, .aside { display: block; margin-left: 0; }
  .facts { grid-template-columns: repeat(2, 1fr); }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  table, tbody, tr, td { display: block; }
  tr { padding: .8rem 1rem; }
  tr + tr { border-top: 1px solid var(--line); }
  td, td:first-child, td:last-child { display: flex; gap: 1rem; justify-content: space-between; padding: .12rem 0; border: 0; text-align: right; width: auto; }
  td::before { content: attr(data-label); color: var(--soft); font-size: .86rem; flex: none; }
  .targets tr { display: grid; grid-template-columns: 1.6fr 1fr 1fr; gap: .45rem .8rem; }
  .targets td, .targets td:first-child, .targets td:last-child { display: block; text-align: left; }
  .targets td.wide { grid-column: 1 / -1; width: auto; }
  .pool .endpoints td:nth-child(2) { grid-column: 1 / -1; text-align: left; }
  .pool .found tr { display: block; }
  .pool .found td, .pool .found td:nth-child(2) { width: auto; text-align: left; padding: .2rem 0; }
  .pool .found td::before, .pool .found td:nth-child(-n+3)::before { display: block; }
  .filter label { flex: 1 1 8rem; min-width: 0; } .filter .search { flex-basis: 100%; } select { width: 100%; max-width: none; }
  .pool > summary .bar { width: 100%; margin: 0; }
  .steps > li { padding-left: 2.4rem; } .steps > li::before { left: .9rem; }
  .targets td:nth-child(2) { grid-column: 2 / -1; text-align: right; }
  .targets td::before { display: block; font-size: .8rem; }
  .targets td:nth-child(-n+3)::before { display: none; }
}
`;
