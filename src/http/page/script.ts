/**
 * The pages' one script, inline. Every ten seconds a page takes its own new state, as long as somebody sees it and selects nothing; a form
 * that asks for something else takes effect while it is typed in. It decides nothing: the server filters, and without script the form is sent
 * and the overview reloads as a whole.
 */
export const SCRIPT = `
const lost = document.getElementById('lost');
const form = document.querySelector('form.filter');
let asked = 0;
async function refresh() {
  const mine = ++asked;
  try {
    const answer = await fetch(location.href, { cache: 'no-store' });
    if (!answer.ok) throw new Error('status ' + answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    if (mine !== asked) return;
    const next = page.getElementById('live');
    const live = document.getElementById('live');
    for (const { id, open } of live.querySelectorAll('details[id]')) {
      const same = [...next.querySelectorAll('details[id]')].find((one) => one.id === id);
      if (same) same.open = open;
    }
    live.replaceWith(next);
    document.getElementById('versions')?.replaceWith(page.getElementById('versions'));
    lost.hidden = true;
  } catch (error) {
    lost.textContent = 'Narthex does not answer (' + error.message + '): what you see is old. Trying again.';
    lost.hidden = false;
  }
}
const renew = () => document.hidden || !getSelection().isCollapsed || refresh();
setInterval(renew, 10000);
document.addEventListener('visibilitychange', renew);
if (form) {
  let typed;
  const ask = () => {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== '') query.append(name, value);
    history.replaceState(null, '', location.pathname + (query.size > 0 ? '?' + query : ''));
    refresh();
  };
  form.addEventListener('input', () => {
    clearTimeout(typed);
    typed = setTimeout(ask, 200);
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    clearTimeout(typed);
    ask();
  });
  form.classList.add('live');
}
`;
