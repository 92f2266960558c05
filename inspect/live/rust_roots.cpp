#include "inspect/live/rust_roots.hpp"

#include "inspect/coroutine/layout.hpp"
#include "inspect/live/areas.hpp"
#include "inspect/live/frame_reader.hpp"
#include "inspect/live/malloc_heap.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::uint64_t word = sizeof(std::uint64_t);
/// No real program has as many; this limits the memory for a malicious file.
constexpr std::size_t max_boxes = std::size_t{1} << 25U;

enum class finding : std::uint8_t {
  future,
  reference,  ///< to the inside of another object
  freed,      ///< stale: its future was freed, or the memory was reused
  done,       ///< the future has returned or panicked
};

/// Two words that may be a Box<dyn Future>.
struct boxed {
  std::uint64_t future = 0;
  std::uint64_t at = 0;  ///< where the two words are
  const future_vtable* vtable = nullptr;
  std::uint64_t chunk_bytes = 0;  ///< of the future's chunk; 0: not known
  finding found = finding::future;
};

/// A query to a heap.
struct question {
  std::uint64_t address = 0;
  std::uint32_t box = 0;
  bool of_future = false;  ///< the address of the future, not that of the box
};

/// Reads at ascending addresses, page by page.
class page_reader {
 public:
  explicit page_reader(const address_space& memory) : memory_(memory) {}

  [[nodiscard]] memory_window at(std::uint64_t address) {
    const std::uint64_t begin = address / page_.size() * page_.size();
    if (begin != begin_ || bytes_ == 0) {
      begin_ = begin;
      bytes_ = memory_.read(begin, page_);
    }
    return {memory_, begin_, std::span(page_).first(bytes_)};
  }

 private:
  const address_space& memory_;
  std::uint64_t begin_ = 0;
  std::size_t bytes_ = 0;
  std::array<std::byte, 4096> page_{};
};

class searcher {
 public:
  searcher(const address_space& memory, const vtable_index& known, std::span<const coroutine> coroutines,
           std::span<const address_range> covered, const rust_roots_options& how)
      : memory_(memory), known_(known), coroutines_(coroutines), how_(how), areas_(find_areas(memory, covered).areas) {}

  rust_roots run() {
    for (const auto& one : areas_) find_boxes(one);
    std::ranges::sort(boxes_, {}, [](const boxed& one) { return std::pair(one.future, one.at); });
    ask_heaps();
    ask_mappings();
    read_futures();
    if (how_.waiters) find_waiters();
    return std::move(found_);
  }

 private:
  void find_boxes(const area& one) {
    blocks_.for_each(one, [&](std::uint64_t at, std::span<const std::byte> block, std::uint64_t bytes) {
      found_.scanned_bytes += bytes;
      const auto number = [block](std::size_t i) { return word_of(block, i); };
      const std::size_t words = block.size() / word;
      // The first word of a block is the second of a pair in the block before.
      for (std::size_t i = 1; i < words; ++i) {
        const std::uint64_t value = number(i);
        if (!known_.may_be_vtable(value)) continue;
        if (const auto* vtable = known_.find(value); vtable != nullptr)
          note(number(i - 1), at + (i - 1) * word, *vtable);
      }
    });
  }

  [[nodiscard]] const area* area_at(std::uint64_t address) const {
    const auto after = std::ranges::upper_bound(areas_, address, {}, [](const area& one) { return one.where.begin; });
    return after == areas_.begin() || !(after - 1)->where.contains(address) ? nullptr : &*(after - 1);
  }

  void note(std::uint64_t future, std::uint64_t at, const future_vtable& vtable) {
    if (future == 0 || future % vtable.alignment != 0 || at % word != 0) return;
    const auto* where = area_at(future);
    // The data of a file contains no boxes.
    if (where == nullptr || where->kind == area_kind::stack || where->region->path.starts_with('/') ||
        vtable.bytes > where->where.end - future) {
      return;
    }
    if (boxes_.size() == max_boxes) {
      found_.too_many = true;
      return;
    }
    boxes_.push_back({.future = future, .at = at, .vtable = &vtable});
  }

  /// Where glibc's heaps are: whether the futures and the boxes are in chunks that are in use.
  void ask_heaps() {
    std::vector<question> questions;
    for (std::uint32_t i = 0; i < boxes_.size(); ++i) {
      questions.push_back({.address = boxes_[i].future, .box = i, .of_future = true});
      questions.push_back({.address = boxes_[i].at, .box = i});
    }
    std::ranges::sort(questions, {}, &question::address);
    for (const auto& one : areas_) {
      if (one.kind != area_kind::heap) continue;
      const auto first = std::ranges::lower_bound(questions, one.where.begin, {}, &question::address);
      const auto last = std::ranges::lower_bound(questions, one.where.end, {}, &question::address);
      if (first != last) walk(one, std::span(first, last));
    }
  }

  void walk(const area& heap, std::span<const question> asked) {
    chunk_walk chunks(heap.heap);
    const auto answer = [&] {
      while (!asked.empty()) {
        const auto state = chunks.at(asked.front().address);
        if (!state) return;
        apply(asked.front(), *state, chunks.bytes());
        asked = asked.subspan(1);
      }
    };
    blocks_.for_each(heap, [&](std::uint64_t at, std::span<const std::byte> block, std::uint64_t bytes) {
      if (asked.empty()) return;
      chunks.feed(at, block.first(bytes));
      answer();
    });
    chunks.finish();
    answer();
    if (chunks.is_broken()) found_.heap_changed = true;
    for (const auto& one : asked) decide_locally(one);
  }

  void apply(const question& asked, chunk_state state, std::uint64_t chunk_bytes) {
    auto& one = boxes_[asked.box];
    if (state == chunk_state::free) one.found = finding::freed;
    if (!asked.of_future || one.found != finding::future) return;
    if (state == chunk_state::inside) {
      one.found = finding::reference;
      return;
    }
    // malloc splits off the part that it can reuse.
    constexpr std::uint64_t most_left = 32;
    const std::uint64_t least = malloc_bytes(one.vtable->bytes);
    if (chunk_bytes < least || chunk_bytes > least + most_left) one.found = finding::freed;
    one.chunk_bytes = chunk_bytes;
  }

  /// Uses the heads of the chunk and of the next one, for addresses that the walk did not reach.
  void decide_locally(const question& asked) {
    if (!asked.of_future) return;
    const auto chunk = lone_chunk_at(memory_, asked.address, malloc_bytes(boxes_[asked.box].vtable->bytes));
    if (!chunk) {
      apply(asked, chunk_state::inside, 0);
    } else {
      apply(asked, chunk->in_use ? chunk_state::begins : chunk_state::free, chunk->bytes);
    }
  }

  /// Large chunks are mappings of their own.
  void ask_mappings() {
    for (auto& one : boxes_) {
      if (one.found != finding::future || one.chunk_bytes != 0) continue;
      const auto bytes = mapped_chunk_bytes(memory_, one.future);
      if (!bytes) continue;
      one.chunk_bytes = *bytes;
      if (one.chunk_bytes < one.vtable->bytes + 2 * word) one.found = finding::freed;
    }
  }

  /// Reads the future's state.
  finding read(const boxed& one, found_frame& frame) {
    const auto window = pages_.at(one.future);
    if (one.chunk_bytes != 0) {
      // Every chunk has room for a word.
      const auto first_word = window.number(one.future, word);
      if (!first_word || is_cached_chunk(memory_, one.future, *first_word, one.chunk_bytes)) return finding::freed;
    }
    const auto& of = coroutines_[one.vtable->coroutine];
    const std::uint64_t bytes = one.chunk_bytes != 0 ? one.chunk_bytes : one.vtable->bytes;
    frame = {.address = one.future,
             .coroutine = one.vtable->coroutine,
             .bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, ~std::uint32_t{0})),
             .uncertain = one.chunk_bytes == 0};
    (void)read_index(window, of, frame);
    if (!of.index_offset || of.await_with(frame.index) != nullptr) return finding::future;
    // The numbers that rustc uses for these two states.
    constexpr std::uint32_t returned = 1;
    constexpr std::uint32_t panicked = 2;
    return frame.index == returned || frame.index == panicked ? finding::done : finding::freed;
  }

  void read_futures() {
    for (auto first = boxes_.begin(); first != boxes_.end();) {
      const auto last =
          std::find_if(first, boxes_.end(), [&](const boxed& one) { return one.future != first->future; });
      read_future(std::span(first, last));
      first = last;
    }
  }

  /// The choice among all boxes that point to one future.
  void read_future(std::span<boxed> boxes) {
    std::optional<found_frame> future;
    bool done = false;
    bool freed = false;
    bool ambiguous = false;
    for (auto& one : boxes) {
      const bool same = future && future->coroutine == one.vtable->coroutine;
      found_frame frame;
      if (one.found == finding::future && !same) {
        one.found = read(one, frame);
        if (one.found == finding::future) {
          ambiguous = ambiguous || future;
          if (!future) future = frame;
        }
      }
      done = done || one.found == finding::done;
      freed = freed || one.found == finding::freed;
    }
    if (future) {
      found_.futures.push_back(*future);
      if (ambiguous) ++found_.ambiguous;
    } else if (done) {
      ++found_.done;
    } else if (freed) {
      ++found_.freed;
    }
  }

  /// Whether a suspended future awaits the object at this offset in it.
  [[nodiscard]] bool awaits(const found_frame& holder, std::uint64_t address) const {
    const auto& of = coroutines_[holder.coroutine];
    if (!of.index_offset) return true;  // It polls what it holds.
    const auto* point = of.await_with(holder.index);
    if (point == nullptr) return false;
    const std::uint64_t offset = address - holder.address;
    return std::ranges::any_of(point->variables, [&](const variable_at_await& one) {
      return (one.kind == field_kind::awaiter || one.kind == field_kind::child) && offset >= one.offset &&
             offset - one.offset < one.bytes;
    });
  }

  void find_waiters() {
    auto& futures = found_.futures;
    for (const auto& one : boxes_) {
      if (one.found != finding::future) continue;
      const auto after = std::ranges::upper_bound(futures, one.at, {}, &found_frame::address);
      if (after == futures.begin()) continue;
      const auto& holder = *(after - 1);
      const auto bytes = coroutines_[holder.coroutine].frame_bytes.value_or(0);
      const std::uint64_t offset = one.at - holder.address;
      if (bytes < 2 * word || offset > bytes - 2 * word || !awaits(holder, one.at)) continue;
      const auto held = std::ranges::lower_bound(futures, one.future, {}, &found_frame::address);
      if (held == futures.end() || held->address != one.future || held->address == holder.address) continue;
      if (held->waiter == 0) held->waiter = holder.address;
    }
  }

  const address_space& memory_;
  const vtable_index& known_;
  std::span<const coroutine> coroutines_;
  const rust_roots_options& how_;
  std::vector<area> areas_;
  std::vector<boxed> boxes_;  ///< by the future
  block_reader blocks_{memory_};
  page_reader pages_{memory_};
  rust_roots found_;
};

}  // namespace

rust_roots find_rust_roots(const address_space& memory, const vtable_index& known,
                           std::span<const coroutine> coroutines, std::span<const address_range> covered,
                           const rust_roots_options& how) {
  if (known.empty()) return {};
  return searcher(memory, known, coroutines, covered, how).run();
}

}  // namespace tare::inspect
