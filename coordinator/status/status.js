/*
 * Keeps the status page up to date: what the server wrote into it is written
 * again from /v1/status, in the same words.  All text goes in as text.
 */
'use strict';

const EVERY_MS = 3000;
const PLOT_WIDTH = 600, PLOT_HEIGHT = 120;

const at = (id) => document.getElementById(id);

/* As page.c writes them. */

function bytes(n) {
    const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
    let unit = 0;
    while (n >= 1000 && unit < units.length - 1) {
        n /= 1000;
        unit++;
    }
    return (unit > 0 && n < 99.95 ? n.toFixed(1) : n.toFixed(0)) + ' '
        + units[unit];
}

function span(s) {
    if (s < 120)
        return s + ' s';
    if (s < 7200)
        return Math.floor(s / 60) + ' min';
    if (s < 172800)
        return Math.floor(s / 3600) + ' h';
    return Math.floor(s / 86400) + ' days';
}

const ago = (now, s) => s ? span(Math.max(0, now - s)) + ' ago' : 'not yet';

const shown = (list) => list.list.length + ' of ' + list.total;

/* Elements. */

function element(name, attributes, ...children) {
    const e = document.createElement(name);
    for (const [key, value] of Object.entries(attributes))
        e.setAttribute(key, value);
    e.append(...children);
    return e;
}

function head(text, ...under) {
    return element('th', { role: 'rowheader', scope: 'row' }, text,
        ...under.filter(Boolean).map((u) => element('small', {}, u)));
}

function cell(label, attributes, ...children) {
    return element('td', { role: 'cell', 'data-l': label, ...attributes },
        element('span', {}, ...children));
}

function state(kind, text, why) {
    const all = [element('span', { class: kind }, text)];
    if (why)
        all.push(element('small', {}, why));
    return all;
}

function rows(id, list, columns, none, row) {
    const all = list.map((entry) =>
        element('tr', { role: 'row' }, ...row(entry)));
    if (all.length == 0)
        all.push(element('tr', { role: 'row' }, element('td',
            { role: 'cell', class: 'none', colspan: columns }, none)));
    at(id).replaceChildren(...all);
}

/* Parts of the page. */

const STATES = {
    serving: ['good', '\u25CF serving'],
    trial: ['warn', '\u25D0 on trial'],
    draining: ['warn', '\u25BD draining'],
    away: ['bad', '\u25CB away'],
};

function nodeRow(node) {
    const sends = [bytes(node.rate) + '/s'
        + (node.rate_max ? ' of ' + bytes(node.rate_max) + '/s' : '')];
    if (node.rate_max)
        sends.push(element('meter', { 'aria-hidden': 'true',
            value: Math.min(1, node.rate / node.rate_max).toFixed(3) }));
    return [
        head(node.url, node.id.slice(0, 12)),
        cell('State', {}, ...state(...STATES[node.state])),
        cell('Zone', {}, node.zone || '\u2013'),
        cell('Sends', {}, ...sends),
        cell('Connections', { class: 'n' }, node.connections),
        cell('Free space', { class: 'n' }, bytes(node.free)),
        cell('Weight', { class: 'n' }, node.weight + ' %'),
        cell('Trust', {}, node.trust + ' %', element('small', {},
            (node.reason ? node.reason + '; ' : '') + 'audits: '
            + node.audits_passed + ' passed, ' + node.audits_wrong + ' wrong')),
    ];
}

function contentRow(content) {
    const missing = content.wanted - content.holders;
    const part = content.incomplete ? content.incomplete + ' in part' : '';
    const text = content.holders + ' of ' + content.wanted;
    return [
        head(content.path || content.root, content.root.slice(0, 16)),
        cell('Site', {}, content.origin || '\u2013'),
        cell('Size', { class: 'n' }, bytes(content.size)),
        cell('Requests/h', { class: 'n' },
            content.demand < 10 ? content.demand.toFixed(1)
                : content.demand.toFixed(0)),
        cell('Holders', {}, ...(missing > 0
            ? state('warn', '\u25D0 ' + text + ', ' + missing + ' missing', part)
            : state('good', '\u25CF ' + text, part))),
    ];
}

function siteRow(now, site) {
    return [
        head(site.origin),
        cell('Contents', { class: 'n' }, site.contents),
        cell('Last sync', {}, ago(now, site.synced)),
        cell('Joined', {}, ago(now, site.joined)),
    ];
}

function banRow(now, ban) {
    return [
        head(ban.url, ban.id),
        cell('Reason', {}, ban.reason || '\u2013'),
        cell('By', {}, ban.by || '\u2013'),
        cell('Since', {}, ban.since ? ago(now, ban.since) : '\u2013'),
    ];
}

function plotTop(points) {
    const max = Math.max(...points.flat());
    for (let unit = 1000; unit < 1e18; unit *= 10)
        for (const step of [1, 2, 5])
            if (step * unit >= max)
                return step * unit;
    return Math.max(max, 1e18);
}

function plotPath(points, series, top) {
    let path = 'M0 ' + PLOT_HEIGHT;
    points.forEach((point, i) => {
        path += 'V' + (PLOT_HEIGHT * (1 - point[series] / top)).toFixed(1)
            + 'H' + (PLOT_WIDTH * (i + 1) / points.length).toFixed(1);
    });
    return path + 'V' + PLOT_HEIGHT + 'Z';
}

function sums(points) {
    const sum = (series) => points.reduce((s, p) => s + p[series], 0);
    return bytes(sum(0)) + ' sent, ' + bytes(sum(1)) + ' credited';
}

function plot(name, points) {
    const figure = at('plot-' + name);
    const top = plotTop(points);
    const each = figure.dataset.each;
    figure.querySelector('.sum').textContent = sums(points);
    figure.querySelector('.top').textContent = bytes(top) + ' ' + each;
    figure.querySelector('svg').setAttribute('aria-label',
        figure.dataset.title + ': ' + sums(points) + '; the top is '
        + bytes(top) + ' ' + each);
    ['claimed', 'credited'].forEach((kind, series) => figure
        .querySelector('path.' + kind)
        .setAttribute('d', plotPath(points, series, top)));
}

function say(kind, text) {
    const line = at('state');
    line.className = 'state ' + kind;
    if (line.textContent != text)
        line.textContent = text;
}

function show(s) {
    const day = s.history.slots.reduce((sum, point) => sum + point[0], 0);
    if (s.stale)
        say('stale', s.taken
            ? 'Redis does not answer: what it told is '
                + span(Math.max(0, s.time - s.taken)) + ' old'
            : 'Redis does not answer');
    else
        say('fresh', 'All is well: live');
    at('rate').textContent = bytes(s.rate) + '/s';
    at('day').textContent = bytes(day);
    at('alive').textContent = s.nodes.alive + ' of ' + s.nodes.total;
    at('site-total').textContent = s.sites.total;
    at('content-total').textContent = s.sites.contents;
    for (const name of ['minutes', 'slots', 'days'])
        plot(name, s.history[name]);
    for (const name of ['nodes', 'contents', 'sites', 'excluded'])
        at(name + '-shown').textContent = shown(s[name]);
    rows('nodes', s.nodes.list, 8, 'No node has registered yet.', nodeRow);
    rows('contents', s.contents.list, 5, 'Nothing is asked for.', contentRow);
    rows('sites', s.sites.list, 4, 'No site has joined yet.',
        (site) => siteRow(s.time, site));
    rows('excluded', s.excluded.list, 4, 'None.',
        (ban) => banRow(s.time, ban));
    at('version').textContent = s.version;
    at('uptime').textContent = span(s.time - s.started);
    at('workers').textContent = s.workers;
    at('redis').textContent = (s.redis.version || '') + (s.redis.up
        ? ', answers' : ', away');
    at('aof').textContent = s.redis.aof ? 'on'
        : 'off: the ledger is lost with Redis';
    at('memory').textContent = bytes(s.redis.memory) + (s.redis.memory_max
        ? ' of ' + bytes(s.redis.memory_max) : ', no limit');
    at('store').firstElementChild.textContent = s.store;
}

let asking = false;

async function refresh() {
    if (asking || document.hidden)
        return;
    asking = true;
    try {
        const answer = await fetch('/v1/status',
            { signal: AbortSignal.timeout(10000) });
        if (!answer.ok)
            throw new Error(answer.status);
        show(await answer.json());
    } catch (error) {
        say('stale', 'The coordinator does not answer: these numbers are old');
    }
    asking = false;
}

setInterval(refresh, EVERY_MS);
document.addEventListener('visibilitychange', refresh);
refresh();
