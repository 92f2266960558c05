#include "inspect/live/waiter_finder.hpp"

#include "inspect/facts/coroutine.hpp"
#include "inspect/live/areas.hpp"
#include "inspect/live/frame_extents.hpp"
#include "inspect/live/shared_states.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::uint64_t word = sizeof(std::uint64_t);
constexpr std::uint32_t none = frame_extents::none;

/// Reads successive frames with few system calls.
class frame_memory {
 public:
  explicit frame_memory(const address_space& memory) : memory_(memory) {}

  [[nodiscard]] bool has(const address_range& what) const {
    return what.begin >= begin_ && what.end <= begin_ + content_.size();
  }

  /// The readable part of the range; valid until the next call.
  std::span<const std::byte> read(const address_range& range) {
    if (!has(range)) {
      begin_ = range.begin;
      content_.resize(std::max<std::uint64_t>(block_bytes, range.bytes()));
      content_.resize(memory_.read(begin_, content_));
    }
    const std::uint64_t from = std::min<std::uint64_t>(range.begin - begin_, content_.size());
    return std::span(content_).subspan(from, std::min<std::uint64_t>(range.bytes(), content_.size() - from));
  }

 private:
  static constexpr std::size_t block_bytes = std::size_t{256} << 10U;

  const address_space& memory_;
  std::uint64_t begin_ = 0;
  std::vector<std::byte> content_;
};

/// The strength of a candidate, the weakest first.
enum class strength : std::uint8_t { state, word, handle, telling };

struct candidate {
  std::uint32_t frame = none;
  strength by = strength::word;
};

class waiter_finder {
 public:
  waiter_finder(const address_space& memory, std::span<const coroutine> coroutines, std::vector<found_frame>& frames)
      : memory_(memory),
        coroutines_(coroutines),
        frames_(frames),
        extents_(frames, coroutines),
        near_(memory),
        states_(memory, extents_) {}

  void run(std::span<const address_range> known) {
    chosen_.resize(frames_.size());
    for (std::uint32_t i = 0; i < frames_.size(); ++i) {
      if (!is_known(known, i)) chosen_[i] = choose(i);
    }
    cut_circles();
    for (std::uint32_t i = 0; i < frames_.size(); ++i) {
      if (is_known(known, i)) continue;
      const auto waits = chosen_[i].frame != none ? chosen_[i].frame : frames_[i].merged ? extents_.around(i) : none;
      frames_[i].waiter = waits == none ? 0 : frames_[waits].address;
    }
  }

 private:
  [[nodiscard]] bool is_known(std::span<const address_range> known, std::uint32_t frame) const {
    const auto& subject = frames_[frame];
    return subject.coroutine == found_frame::unknown_coroutine ||
           std::ranges::any_of(known, [&](const address_range& range) { return range.contains(subject.address); });
  }

  /// The frame into which an address points, seen from `from`: another frame, and not one inside it.
  [[nodiscard]] std::uint32_t target(std::uint32_t from, std::uint64_t address) const {
    const std::uint32_t to = extents_.frame_at(address);
    if (to == none || to == from || extents_.is_inside(to, from) || rejected_.contains({from, to})) return none;
    return to;
  }

  candidate choose(std::uint32_t frame) {
    const coroutine& coroutine = coroutines_[frames_[frame].coroutine];
    address_range promise = extents_.head(frame);
    for (const auto& link : coroutine.links) promise.end = std::max(promise.end, promise.begin + link.offset + word);
    const auto content = near_.read(promise);
    const auto word_at = [&](std::uint64_t offset) -> std::uint64_t {
      return offset + word <= content.size() ? word_of(content.subspan(offset), 0) : 0;
    };
    for (const auto& link : coroutine.links) {
      const std::uint32_t to = target(frame, word_at(link.offset));
      if (to == none) continue;
      if (link.telling) return {.frame = to, .by = strength::telling};
      if (!holds(frame, to)) return {.frame = to, .by = strength::handle};
    }
    std::vector<std::uint64_t> words;
    std::vector<std::uint64_t> others;
    const std::uint64_t end = std::min<std::uint64_t>(content.size(), extents_.head(frame).bytes());
    for (std::uint64_t address = coroutine.promise_offset; address + word <= end; address += word) {
      if (std::ranges::find(coroutine.links, address, &promise_link::offset) != coroutine.links.end()) continue;
      (target(frame, word_at(address)) != none ? words : others).push_back(word_at(address));
    }
    if (const std::uint32_t best = best_of(frame, words); best != none) return {.frame = best, .by = strength::word};
    return {.frame = through_state(frame, others), .by = strength::state};
  }

  /// Coroutines that are awaited together may share a state on the heap, which has the handle of the waiting frame.
  /// That frame also holds the address of the state: other objects that point to frames are queues or lists.
  std::uint32_t through_state(std::uint32_t frame, const std::vector<std::uint64_t>& words) {
    for (const std::uint64_t value : words) {
      const shared_state* const state = states_.at(value);
      if (state == nullptr || state->frame == none) continue;
      const std::uint32_t to = state->frame;
      if (target(frame, frames_[to].address) != to || holds(frame, to)) continue;
      if (leads_into(extents_.body(to), state->bytes)) return to;
    }
    return none;
  }

  /// Of the words of a promise that lead into other frames: to where one begins; to the promise of one that holds this
  /// one, where the next of a list would be, too; among the variables of one.
  std::uint32_t best_of(std::uint32_t frame, const std::vector<std::uint64_t>& words) {
    const coroutine& coroutine = coroutines_[frames_[frame].coroutine];
    const auto* const point = coroutine.await_with(frames_[frame].index);
    // Before the body, much of a promise is not initialized and may have the content of an earlier frame.
    const bool may_be_stale = point != nullptr && point->kind == suspension::initial;
    std::uint32_t best = none;
    int best_rank = 0;
    for (const std::uint64_t value : words) {
      const std::uint32_t to = target(frame, value);
      if (holds(frame, to)) continue;
      const bool begins = value == frames_[to].address;
      const bool in_head = extents_.head(to).contains(value);
      const bool held = (words.size() > 1 || may_be_stale || in_head) && holds(to, frame);
      if (!held && (may_be_stale || (in_head && !begins))) continue;
      const int rank = 1 + (held ? 1 : 0) + (in_head ? 2 : 0) + (begins ? 2 : 0);
      if (rank > best_rank) best = to, best_rank = rank;
    }
    return best;
  }

  /// Whether among the variables of one frame, not in its promise, there is the address of another's beginning or
  /// promise: a handle, a task, a generator. A frame that was merged into it is one of its variables.
  bool holds(std::uint32_t holder, std::uint32_t other) {
    return extents_.is_inside(other, holder) || leads_into(extents_.body(holder), extents_.head(other));
  }

  /// Whether there is an address of this range among the words of a frame's body.
  bool leads_into(address_range body, const address_range& there) {
    constexpr std::uint64_t max_bytes = std::uint64_t{64} << 10U;
    body.begin = (body.begin + word - 1) / word * word;
    body.end = std::max(body.begin, std::min(body.end, body.begin + max_bytes));
    const auto leads_there = [&](std::span<const std::byte> content) {
      for (std::size_t index = 0; index + word <= content.size(); index += word) {
        if (there.contains(word_of(content.subspan(index), 0))) return true;
      }
      return false;
    };
    // Frames that belong together often lie together; this leaves what was read last where it is.
    if (near_.has(body)) return leads_there(near_.read(body));
    body_.resize(body.bytes());
    body_.resize(memory_.read(body.begin, body_));
    return leads_there(body_);
  }

  /// Frames cannot wait for each other in a cycle: some of its steps point down. The weakest are removed.
  void cut_circles() {
    constexpr int rounds = 8;
    for (int round = 0; round < rounds; ++round) {
      const auto circles = find_circles();
      if (circles.empty()) return;
      for (const auto& circle : circles) {
        std::vector<int> ranks;
        ranks.reserve(circle.size());
        for (const std::uint32_t index : circle) {
          ranks.push_back(2 * static_cast<int>(chosen_[index].by) + (holds(chosen_[index].frame, index) ? 1 : 0));
        }
        const int least = *std::ranges::min_element(ranks);
        for (std::size_t i = 0; i < circle.size(); ++i) {
          if (ranks[i] != least) continue;
          rejected_.emplace(circle[i], chosen_[circle[i]].frame);
          chosen_[circle[i]] = round + 1 < rounds ? choose(circle[i]) : candidate{};
        }
      }
    }
    for (const auto& circle : find_circles()) chosen_[circle.front()] = {};
  }

  [[nodiscard]] std::vector<std::vector<std::uint32_t>> find_circles() const {
    std::vector<std::vector<std::uint32_t>> circles;
    std::vector<std::uint32_t> seen_from(frames_.size(), none);  // by which walk
    for (std::uint32_t start = 0; start < frames_.size(); ++start) {
      std::uint32_t index = start;
      for (; index != none && seen_from[index] == none; index = chosen_[index].frame) seen_from[index] = start;
      if (index == none || seen_from[index] != start) continue;
      std::vector<std::uint32_t> circle{index};
      for (std::uint32_t next = chosen_[index].frame; next != index; next = chosen_[next].frame) circle.push_back(next);
      circles.push_back(std::move(circle));
    }
    return circles;
  }

  const address_space& memory_;
  std::span<const coroutine> coroutines_;
  std::vector<found_frame>& frames_;
  frame_extents extents_;
  frame_memory near_;
  shared_states states_;
  std::vector<candidate> chosen_;  ///< by frame
  std::set<std::pair<std::uint32_t, std::uint32_t>>
      rejected_;  ///< pairs of frames of which the first does not wait for the second
  std::vector<std::byte> body_;
};

}  // namespace

void find_waiters(const address_space& memory, std::span<const coroutine> coroutines,
                  std::span<const address_range> known, std::vector<found_frame>& frames) {
  waiter_finder(memory, coroutines, frames).run(known);
}

}  // namespace tare::inspect
