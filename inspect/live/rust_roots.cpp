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
    for (const auto& each : areas_) find_boxes(each);
    std::ranges::sort(boxes_, {}, [](const boxed& each) { return std::pair(each.future, each.at); });
    ask_heaps();
    ask_mappings();
    read_futures();
    if (how_.waiters) find_waiters();
    return std::move(found_);
  }

 private:
  void find_boxes(const area& area) {
    blocks_.for_each(area, [&](std::uint64_t address, std::span<const std::byte> block, std::uint64_t bytes) {
      found_.scanned_bytes += bytes;
      const auto number = [block](std::size_t i) { return word_of(block, i); };
      const std::size_t words = block.size() / word;
      // The first word of a block is the second of a pair in the block before.
      for (std::size_t i = 1; i < words; ++i) {
        const std::uint64_t value = number(i);
        if (!known_.may_be_vtable(value)) continue;
        if (const auto* vtable = known_.find(value); vtable != nullptr)
          note(number(i - 1), address + (i - 1) * word, *vtable);
      }
    });
  }

  [[nodiscard]] const area* area_at(std::uint64_t address) const {
    const auto after = std::ranges::upper_bound(areas_, address, {}, [](const area& each) { return each.where.begin; });
    return after == areas_.begin() || !(after - 1)->where.contains(address) ? nullptr : &*(after - 1);
  }

  void note(std::uint64_t future, std::uint64_t address, const future_vtable& vtable) {
    if (future == 0 || future % vtable.alignment != 0 || address % word != 0) return;
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
    boxes_.push_back({.future = future, .at = address, .vtable = &vtable});
  }

  /// Where glibc's heaps are: whether the futures and the boxes are in chunks that are in use.
  void ask_heaps() {
    std::vector<question> questions;
    for (std::uint32_t i = 0; i < boxes_.size(); ++i) {
      questions.push_back({.address = boxes_[i].future, .box = i, .of_future = true});
      questions.push_back({.address = boxes_[i].at, .box = i});
    }
    std::ranges::sort(questions, {}, &question::address);
    for (const auto& each : areas_) {
      if (each.kind != area_kind::heap) continue;
      const auto first = std::ranges::lower_bound(questions, each.where.begin, {}, &question::address);
      const auto last = std::ranges::lower_bound(questions, each.where.end, {}, &question::address);
      if (first != last) walk(each, std::span(first, last));
    }
  }

  void walk(const area& heap, std::span<const question> questions) {
    chunk_walk chunks(heap.heap);
    const auto resolve = [&] {
      while (!questions.empty()) {
        const auto state = chunks.at(questions.front().address);
        if (!state) return;
        apply(questions.front(), *state, chunks.bytes());
        questions = questions.subspan(1);
      }
    };
    blocks_.for_each(heap, [&](std::uint64_t address, std::span<const std::byte> block, std::uint64_t bytes) {
      if (questions.empty()) return;
      chunks.feed(address, block.first(bytes));
      resolve();
    });
    chunks.finish();
    resolve();
    if (chunks.is_broken()) found_.heap_changed = true;
    for (const auto& each : questions) decide_locally(each);
  }

  void apply(const question& question, chunk_state state, std::uint64_t chunk_bytes) {
    auto& current = boxes_[question.box];
    if (state == chunk_state::free) current.found = finding::freed;
    if (!question.of_future || current.found != finding::future) return;
    if (state == chunk_state::inside) {
      current.found = finding::reference;
      return;
    }
    // malloc splits off the part that it can reuse.
    constexpr std::uint64_t most_left = 32;
    const std::uint64_t least = malloc_bytes(current.vtable->bytes);
    if (chunk_bytes < least || chunk_bytes > least + most_left) current.found = finding::freed;
    current.chunk_bytes = chunk_bytes;
  }

  /// Uses the heads of the chunk and of the next one, for addresses that the walk did not reach.
  void decide_locally(const question& question) {
    if (!question.of_future) return;
    const auto chunk = lone_chunk_at(memory_, question.address, malloc_bytes(boxes_[question.box].vtable->bytes));
    if (!chunk) {
      apply(question, chunk_state::inside, 0);
    } else {
      apply(question, chunk->in_use ? chunk_state::begins : chunk_state::free, chunk->bytes);
    }
  }

  /// Large chunks are mappings of their own.
  void ask_mappings() {
    for (auto& each : boxes_) {
      if (each.found != finding::future || each.chunk_bytes != 0) continue;
      const auto bytes = mapped_chunk_bytes(memory_, each.future);
      if (!bytes) continue;
      each.chunk_bytes = *bytes;
      if (each.chunk_bytes < each.vtable->bytes + 2 * word) each.found = finding::freed;
    }
  }

  /// Reads the future's state.
  finding read(const boxed& boxed, found_frame& frame) {
    const auto window = pages_.at(boxed.future);
    if (boxed.chunk_bytes != 0) {
      // Every chunk has room for a word.
      const auto first_word = window.number(boxed.future, word);
      if (!first_word || is_cached_chunk(memory_, boxed.future, *first_word, boxed.chunk_bytes)) return finding::freed;
    }
    const auto& subject = coroutines_[boxed.vtable->coroutine];
    const std::uint64_t bytes = boxed.chunk_bytes != 0 ? boxed.chunk_bytes : boxed.vtable->bytes;
    frame = {.address = boxed.future,
             .coroutine = boxed.vtable->coroutine,
             .bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, ~std::uint32_t{0})),
             .uncertain = boxed.chunk_bytes == 0};
    (void)read_index(window, subject, frame);
    if (!subject.index_offset || subject.await_with(frame.index) != nullptr) return finding::future;
    // The numbers that rustc uses for these two states.
    constexpr std::uint32_t returned = 1;
    constexpr std::uint32_t panicked = 2;
    return frame.index == returned || frame.index == panicked ? finding::done : finding::freed;
  }

  void read_futures() {
    for (auto first = boxes_.begin(); first != boxes_.end();) {
      const auto last =
          std::find_if(first, boxes_.end(), [&](const boxed& boxed) { return boxed.future != first->future; });
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
    for (auto& each : boxes) {
      const bool same = future && future->coroutine == each.vtable->coroutine;
      found_frame frame;
      if (each.found == finding::future && !same) {
        each.found = read(each, frame);
        if (each.found == finding::future) {
          ambiguous = ambiguous || future;
          if (!future) future = frame;
        }
      }
      done = done || each.found == finding::done;
      freed = freed || each.found == finding::freed;
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
    const auto& subject = coroutines_[holder.coroutine];
    if (!subject.index_offset) return true;  // It polls what it holds.
    const auto* point = subject.await_with(holder.index);
    if (point == nullptr) return false;
    const std::uint64_t offset = address - holder.address;
    return std::ranges::any_of(point->variables, [&](const variable_at_await& variable) {
      return (variable.kind == field_kind::awaiter || variable.kind == field_kind::child) &&
             offset >= variable.offset && offset - variable.offset < variable.bytes;
    });
  }

  void find_waiters() {
    auto& futures = found_.futures;
    for (const auto& each : boxes_) {
      if (each.found != finding::future) continue;
      const auto after = std::ranges::upper_bound(futures, each.at, {}, &found_frame::address);
      if (after == futures.begin()) continue;
      const auto& holder = *(after - 1);
      const auto bytes = coroutines_[holder.coroutine].frame_bytes.value_or(0);
      const std::uint64_t offset = each.at - holder.address;
      if (bytes < 2 * word || offset > bytes - 2 * word || !awaits(holder, each.at)) continue;
      const auto held = std::ranges::lower_bound(futures, each.future, {}, &found_frame::address);
      if (held == futures.end() || held->address != each.future || held->address == holder.address) continue;
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
