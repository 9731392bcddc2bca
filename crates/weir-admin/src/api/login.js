// The token is kept for this tab and this very origin. A cookie would go to every port of this host: to the servers
// behind the listeners, too.
'use strict';
const KEY = 'weir-token', REFRESH_MS = 10000;
const form = document.forms[0], said = document.getElementById('said'), shown = document.getElementById('shown');
const ask = document.getElementById('ask'), leave = document.getElementById('leave');
let timer;

async function show(path) {
  clearTimeout(timer);
  const token = sessionStorage.getItem(KEY);
  if (!token) return refused('');
  let answer;
  try {
    answer = await fetch(path, { headers: { Authorization: 'Bearer ' + token }, cache: 'no-store' });
  } catch {
    said.textContent = 'No answer; trying again.';
    timer = setTimeout(show, REFRESH_MS, path);
    return;
  }
  if (answer.status === 401) return refused('That is not the token.');
  const text = await answer.text();
  said.textContent = '';
  ask.hidden = true;
  leave.hidden = false;
  if ((answer.headers.get('content-type') || '').startsWith('text/html')) {
    const page = new DOMParser().parseFromString(text, 'text/html');
    document.title = page.title;
    shown.replaceChildren(...page.body.childNodes);
    timer = setTimeout(show, REFRESH_MS, path);
  } else {
    const back = document.createElement('a'), pre = document.createElement('pre');
    back.href = '/';
    back.textContent = 'back to the overview';
    try { pre.textContent = JSON.stringify(JSON.parse(text), null, 2); } catch { pre.textContent = text; }
    shown.replaceChildren(back, pre);
  }
}

function refused(why) {
  sessionStorage.removeItem(KEY);
  shown.replaceChildren();
  said.textContent = why;
  leave.hidden = true;
  ask.hidden = false;
  form.token.focus();
}

form.addEventListener('submit', event => {
  event.preventDefault();
  sessionStorage.setItem(KEY, form.token.value.trim());
  form.reset();
  show(location.pathname);
});
leave.addEventListener('click', () => refused(''));
shown.addEventListener('click', event => {
  const link = event.target.closest('a');
  if (!link || link.origin !== location.origin || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, '', link.pathname);
  show(link.pathname);
});
addEventListener('popstate', () => show(location.pathname));
show(location.pathname);
