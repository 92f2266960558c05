// Who waits for the frames of a site, as inspect/live/waiters.cpp tells it to the screen.

const deepest = 32;
const most = 256;

/// The steps up from the site's frames, those through the same place together, the heaviest first: each with how many of
/// the frames are waited for on this way, and the steps above it.
export function waitersFor({ stacks }, site) {
  let left = most;
  const above = (followers, level) => {
    const groups = new Map();
    for (const { frames, at } of level < deepest ? followers : []) {
      const { parent } = stacks[at];
      // Further up, that nobody waits shows from there being no more steps.
      if (parent === null && level > 0) continue;
      const key = parent === null ? null : stacks[parent].site;
      if (!groups.has(key)) groups.set(key, { site: key, count: 0, bytes: 0, followers: [] });
      const group = groups.get(key);
      group.count += frames.count;
      group.bytes += frames.bytes;
      if (parent !== null) group.followers.push({ frames, at: parent });
    }
    return [...groups.values()]
      .sort((a, b) => b.bytes - a.bytes || b.count - a.count)
      .filter(() => left-- > 0)
      .map(({ followers: next, ...step }) => ({ ...step, above: above(next, level + 1) }));
  };
  const own = [];
  stacks.forEach((frames, at) => frames.site === site && own.push({ frames, at }));
  return above(own, 0);
}
