// The client of npm's bittorrent-tracker, announcing and scraping.  Takes lines
//
//   TRACKER INFOHASH PORT ACTION LEFT
//
// one after the other, where ACTION is start, complete, update, stop or scrape.
// Answers each with a line: "seeds leeches completed", as the tracker counts
// them ("-" if it does not say), and the peers; or "error: " and what was wrong.
import Client from 'bittorrent-tracker'
import { createInterface } from 'node:readline'

const ask = line => new Promise(resolve => {
  const [announce, infoHash, port, action, left] = line.split(' ')
  const peerId = Buffer.from('-OT0001-' + port.padStart(12, '0'))
  const client = new Client({ infoHash, peerId, announce, port: +port })
  const peers = []
  const fail = error => end('error: ' + error.message)
  const end = text => {
    client.destroy()
    resolve([text, ...peers.sort()].join(' '))
  }

  client.on('error', fail)
  client.on('warning', fail)
  client.on('peer', peer => peers.push(peer))
  client.on(action === 'scrape' ? 'scrape' : 'update', data => {
    const { complete, incomplete, downloaded = '-' } = data
    // The peers of this answer follow at once.
    setImmediate(end, `${complete} ${incomplete} ${downloaded}`)
  })
  if (action === 'scrape') client.scrape()
  else client[action]({ left: +left, numwant: 50 })
})

for await (const line of createInterface({ input: process.stdin })) {
  console.log(await ask(line))
}
process.exit(0)
