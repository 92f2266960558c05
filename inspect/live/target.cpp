#include "inspect/live/target.hpp"

#include "base/proc/memory.hpp"
#include "inspect/coroutine/read.hpp"
#include "inspect/live/arena.hpp"
#include "inspect/live/frame_index.hpp"
#include "inspect/live/frame_viewer.hpp"
#include "inspect/live/group.hpp"
#include "inspect/live/memory_parts.hpp"
#include "inspect/live/module.hpp"
#include "inspect/live/rust_roots.hpp"
#include "inspect/live/scan.hpp"
#include "inspect/live/vtable_index.hpp"
#include "inspect/memory/core_file.hpp"
#include "inspect/memory/pause.hpp"
#include "inspect/memory/process_memory.hpp"
#include "inspect/object/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace tare::inspect {

namespace {

using clock = std::chrono::steady_clock;

double seconds(clock::duration time) { return std::chrono::duration<double>(time).count(); }

/// Which code a process has mapped where: when it loads a library, this changes.
std::vector<std::pair<std::uint64_t, std::string>> mapped_code(const address_space& memory) {
  std::vector<std::pair<std::uint64_t, std::string>> code;
  for (const auto& region : memory.regions()) {
    if (region.executable && region.path.starts_with('/')) code.emplace_back(region.where.begin, region.path);
  }
  return code;
}

/// Whether rustc has made a part of it: it writes that down beside the code, and strip leaves it there.
bool is_rust_program(const std::filesystem::path& file) {
  bool found = false;
  const auto look = [&](const image& one) {
    for (const auto comment : one.unloaded_sections_named(".comment")) found = found || comment.contains("rustc");
    // Symbols say so, too: of the standard library, which is linked into each program.
    found = found || one.function_named("rust_eh_personality") != nullptr;
  };
  if (auto opened = image_file::open(file); opened) (void)opened->for_each(look, [](const std::string&) {});
  return found;
}

}  // namespace

class live_target::state {
 public:
  state(module_search search, live_options options, std::unique_ptr<core_file> core = nullptr)
      : core_(std::move(core)), search_(std::move(search)), options_(std::move(options)) {}

  /// Reads the binaries, unless the process has the same ones mapped as before.
  base::result<void> read_modules(const address_space& memory) {
    auto code = mapped_code(memory);
    if (read_ && code == code_) return {};
    coroutines_.clear();
    binaries_.clear();
    arenas_.clear();
    notes_.clear();
    known_ = {};
    vtables_ = {};
    const auto modules = find_modules(memory, search_, notes_);
    if (!modules) return std::unexpected(modules.error());
    command_ = modules->front().name;
    // Its program may be none of the files that could be read.
    const bool elsewhere = core_ && core_->entry() != 0 && !modules->front().code.contains(core_->entry());
    if (elsewhere && !core_->command().empty()) command_ = core_->command();
    bool program = true;
    for (const auto& one : *modules) {
      read_module(one, program);
      program = false;
    }
    known_.finish();
    vtables_.finish();
    code_ = std::move(code);
    read_ = true;
    if (coroutines_.empty() && !options_.rust &&
        std::ranges::any_of(*modules, [](const module& one) { return is_rust_program(one.file); })) {
      notes_.emplace_back("it runs code that is written in Rust: --rust shows the futures that it holds in boxes");
    } else if (coroutines_.empty() && notes_.empty()) {
      notes_.emplace_back("the process runs no code of coroutines");
    }
    if (options_.rust) {
      notes_.emplace_back(vtables_.empty() ? "--rust: the program is not known to have a dyn Future: build it with -g "
                                             "(debug = true for cargo)"
                                           : "--rust is an experiment: it sees futures that are held as Box<dyn "
                                             "Future>; not those that a task holds by value, as tokio::spawn's do, nor "
                                             "those in other futures or on stacks");
    }
    return {};
  }

  base::result<live_snapshot> of_process() {
    const auto pid = static_cast<pid_t>(search_.pid);
    const auto memory = process_memory::open(pid);
    if (!memory) return std::unexpected(memory.error());
    if (auto read = read_modules(**memory); !read) return std::unexpected(read.error());
    std::optional<pause> stopped;
    bool let_go = false;
    std::chrono::nanoseconds paused{};
    if (options_.longest_pause.count() != 0) {
      auto begun = pause::begin(pid);
      if (!begun) return std::unexpected(begun.error());
      stopped.emplace(std::move(*begun));
    }
    const auto until = clock::now() + options_.longest_pause;
    live_snapshot taken = look_through(**memory, [&] {
      if (!stopped || let_go || clock::now() < until) return;
      paused = stopped->end();
      let_go = true;
    });
    if (stopped && !let_go) paused = stopped->end();
    taken.paused_seconds = seconds(paused);
    if (let_go) {
      taken.notes.push_back(fmt::format(
          "the process went on before all was read, as it may be stopped for {:.0f} ms only: allow more with --pause",
          seconds(options_.longest_pause) * 1000));
    }
    taken.pid = search_.pid;
    taken.rss_bytes = taken.memory.sum();
    if (taken.rss_bytes == 0) {
      const std::array<pid_t, 1> processes{pid};
      const auto held = base::read_memory(processes);
      if (!held) return std::unexpected(base::error{base::fault::input, fmt::format("process {} has ended", pid)});
      taken.rss_bytes = held->resident;
    }
    return taken;
  }

  base::result<live_snapshot> of_core() {
    if (auto read = read_modules(*core_); !read) return std::unexpected(read.error());
    live_snapshot taken = look_through(*core_, {});
    taken.pid = core_->pid();
    taken.rss_bytes = taken.memory.sum();
    if (core_->is_truncated()) taken.notes.emplace_back("the core file was cut short: what is missing is not seen");
    return taken;
  }

  base::result<std::vector<listed_frame>> list(const std::function<bool(const std::string&)>& wanted,
                                               std::size_t most) {
    const auto memory = open_memory();
    if (!memory) return std::unexpected(memory.error());
    std::vector<std::string> notes;
    const auto found = find_frames(**memory, {}, notes);
    std::vector<listed_frame> listed;
    // Most frames are like the one before.
    const found_frame* last = nullptr;
    live_site site;
    bool take = false;
    for (const auto& one : found.frames) {
      if (listed.size() == most) break;
      const bool same = last != nullptr && last->coroutine == one.coroutine && last->index == one.index &&
                        last->ended == one.ended && last->merged == one.merged;
      if (!same) {
        site = site_of(one, coroutines_);
        take = wanted(site.function) || wanted(fmt::format("{}:{}", site.where.file, site.where.line));
        last = &one;
      }
      if (!take) continue;
      listed.push_back({.address = one.address,
                        .function = site.function,
                        .where = site.where,
                        .kind = site.kind,
                        .bytes = one.bytes});
    }
    return listed;
  }

  base::result<frame_view> frame(std::uint64_t address) {
    const auto memory = open_memory();
    if (!memory) return std::unexpected(memory.error());
    std::vector<std::string> notes;
    const auto found = find_frames(**memory, {}, notes);
    const auto at = [&](std::uint64_t wanted) -> const found_frame* {
      const auto one = std::ranges::lower_bound(found.frames, wanted, {}, &found_frame::address);
      return one == found.frames.end() || one->address != wanted ? nullptr : &*one;
    };
    const auto* frame = at(address);
    if (frame == nullptr || frame->coroutine == found_frame::unknown_coroutine) {
      return base::input_error(
          fmt::format("no frame that is suspended begins at {:#x}; --list shows where they do", address));
    }
    const auto after = std::ranges::upper_bound(binaries_, frame->coroutine, {}, &binary::first_coroutine);
    frame_view view = view_frame(**memory, *frame, coroutines_, (after - 1)->file, options_.debug_folders);
    if (const auto* waiter = at(frame->waiter); waiter != nullptr) {
      view.waiter = waiter->address;
      view.waiter_function = site_of(*waiter, coroutines_).function;
    }
    return view;
  }

  [[nodiscard]] bool is_core() const noexcept { return core_ != nullptr; }
  [[nodiscard]] const core_file& core() const noexcept { return *core_; }

 private:
  void read_module(const module& one, bool program) {
    read_options how;
    how.debug_folders = options_.debug_folders;
    how.liveness = false;
    how.await_tables = true;
    how.rust = options_.rust;
    how.future_vtables = options_.rust;
    auto report = read_coroutines(one.file, how);
    if (!report) {
      if (program) notes_.push_back(report.error().message);
      return;
    }
    // What is wrong with libraries that have nothing to do with coroutines is of no interest.
    if (program || !report->coroutines.empty()) {
      for (auto& note : report->notes) notes_.push_back(std::move(note));
    }
    for (const auto address : report->arenas) arenas_.push_back(one.load_bias + address);
    for (auto& of : report->coroutines) of.image = one.name;
    binaries_.push_back({.first_coroutine = static_cast<std::uint32_t>(coroutines_.size()), .file = one.file});
    known_.add(report->coroutines, static_cast<std::uint32_t>(coroutines_.size()), one.load_bias);
    vtables_.add(report->vtables, static_cast<std::uint32_t>(coroutines_.size()), one.load_bias);
    std::ranges::move(report->coroutines, std::back_inserter(coroutines_));
  }

  /// The memory as it is now, with the binaries read.
  base::result<std::shared_ptr<const address_space>> open_memory() {
    if (core_) return std::shared_ptr<const address_space>(core_.get(), [](const address_space*) {});
    auto memory = process_memory::open(static_cast<pid_t>(search_.pid));
    if (!memory) return std::unexpected(memory.error());
    if (auto read = read_modules(**memory); !read) return std::unexpected(read.error());
    return std::shared_ptr<const address_space>(std::move(*memory));
  }

  /// With `parts` also what all of the memory is for.
  found_frames find_frames(const address_space& memory, std::function<void()> after_block,
                           std::vector<std::string>& notes, memory_parts* parts = nullptr) {
    std::vector<arena> arenas;
    for (const auto address : arenas_) {
      const auto abi = memory.read_object<abi::arena>(address);
      if (!abi) continue;
      if (auto opened = arena::open(memory, *abi, notes); opened) arenas.push_back(std::move(*opened));
    }
    const scan_options how{.waiters = options_.stacks, .pools = options_.pools, .after_block = std::move(after_block)};
    auto found = scan(memory, known_, coroutines_, arenas, how);
    if (options_.rust) add_rust_roots(memory, arenas, how.after_block, found, notes);
    if (parts != nullptr) *parts = account_for(memory, found, arenas);
    return found;
  }

  void add_rust_roots(const address_space& memory, std::span<const arena> arenas,
                      const std::function<void()>& after_block, found_frames& into, std::vector<std::string>& notes) {
    const rust_roots_options how{.waiters = options_.stacks, .after_block = after_block};
    const auto found = find_rust_roots(memory, vtables_, coroutines_, covered_by(arenas), how);
    into.frames.insert(into.frames.end(), found.futures.begin(), found.futures.end());
    std::ranges::sort(into.frames, {}, &found_frame::address);
    into.scanned_bytes += found.scanned_bytes;
    into.heap_changed = into.heap_changed || found.heap_changed;
    if (found.done != 0) {
      notes.push_back(fmt::format(
          "{} boxed futures have returned or panicked and are not dropped: they are not counted", found.done));
    }
    if (found.ambiguous != 0) {
      notes.push_back(fmt::format(
          "boxes of several types lead to {} of the boxed futures: some are left over, and which type it is is a guess",
          found.ambiguous));
    }
    if (found.too_many) notes.emplace_back("there are more boxed futures than are looked at: some are not counted");
  }

  live_snapshot look_through(const address_space& memory, std::function<void()> after_block) {
    live_snapshot taken;
    taken.command = command_;
    taken.notes = notes_;
    const auto began = clock::now();
    const auto found = find_frames(memory, std::move(after_block), taken.notes, &taken.memory);
    taken.seconds = seconds(clock::now() - began);
    taken.scanned_bytes = found.scanned_bytes;
    taken.freed = found.freed;
    taken.left_out = found.inside;
    group(found.frames, coroutines_, options_.stacks, taken);
    if (found.inside != 0) {
      taken.notes.push_back(fmt::format(
          "{} places inside of other objects look like frames and are not counted: left over, or of a pool (--pools)",
          found.inside));
    }
    if (found.skipped != 0) {
      taken.notes.push_back(fmt::format("{} regions of more than 256 GiB were not looked through", found.skipped));
    }
    if (found.heap_changed) {
      taken.notes.emplace_back("the heap changed while it was read, or is not glibc's: --pause gives a steady picture");
    }
    if (taken.uncertain != 0) {
      taken.notes.push_back(
          fmt::format("{} frames are in memory of an allocator that is not known here: some of them "
                      "may have been freed",
                      taken.uncertain));
    }
    return taken;
  }

  /// Whose coroutines have the numbers from the first on.
  struct binary {
    std::uint32_t first_coroutine = 0;
    std::filesystem::path file;
  };

  std::unique_ptr<core_file> core_;  ///< empty: a process
  module_search search_;
  live_options options_;
  bool read_ = false;
  std::vector<std::pair<std::uint64_t, std::string>> code_;
  std::string command_;
  std::vector<coroutine> coroutines_;
  std::vector<binary> binaries_;
  frame_index known_;
  vtable_index vtables_;
  std::vector<std::uint64_t> arenas_;  ///< addresses in the process
  std::vector<std::string> notes_;
};

live_target::live_target(std::unique_ptr<state> opened) : state_(std::move(opened)) {}
live_target::live_target(live_target&&) noexcept = default;
live_target& live_target::operator=(live_target&&) noexcept = default;
live_target::~live_target() = default;

base::result<live_target> live_target::of_process(std::int64_t pid, live_options options) {
  const auto memory = process_memory::open(static_cast<pid_t>(pid));
  if (!memory) return std::unexpected(memory.error());
  auto opened = std::make_unique<state>(module_search{.pid = pid, .program = {}, .entry = 0}, std::move(options));
  if (auto read = opened->read_modules(**memory); !read) return std::unexpected(read.error());
  return live_target(std::move(opened));
}

base::result<live_target> live_target::of_core(const std::filesystem::path& core, const std::filesystem::path& program,
                                               live_options options) {
  auto file = core_file::open(core);
  if (!file) return std::unexpected(file.error());
  auto opened = std::make_unique<state>(module_search{.pid = 0, .program = program, .entry = (*file)->entry()},
                                        std::move(options), std::move(*file));
  if (auto read = opened->read_modules(opened->core()); !read) return std::unexpected(read.error());
  return live_target(std::move(opened));
}

base::result<std::vector<listed_frame>> live_target::list(const std::function<bool(const std::string&)>& wanted,
                                                          std::size_t most) {
  return state_->list(wanted, most);
}

base::result<frame_view> live_target::frame(std::uint64_t address) { return state_->frame(address); }

base::result<live_snapshot> live_target::snapshot() {
  return state_->is_core() ? state_->of_core() : state_->of_process();
}

}  // namespace tare::inspect
