#include "inspect/live/target.hpp"

#include "base/proc/memory.hpp"
#include "inspect/live/frame_viewer.hpp"
#include "inspect/live/group.hpp"
#include "inspect/live/module_cache.hpp"
#include "inspect/live/snapshot_taker.hpp"
#include "inspect/memory/core_file.hpp"
#include "inspect/memory/pause.hpp"
#include "inspect/memory/process_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace tare::inspect {

namespace {

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

class live_target::state {
 public:
  state(module_search search, live_options options, std::unique_ptr<core_file> core = nullptr)
      : core_(std::move(core)),
        pid_(search.pid),
        options_(std::move(options)),
        modules_(std::move(search), {.debug_folders = options_.debug_folders, .rust = options_.rust},
                 core_ ? core_->command() : std::string()) {}

  base::result<void> read_modules(const address_space& memory) { return modules_.refresh(memory); }

  base::result<live_snapshot> of_process() {
    const auto pid = static_cast<pid_t>(pid_);
    const auto memory = process_memory::open(pid);
    if (!memory) return std::unexpected(memory.error());
    if (auto read = modules_.refresh(**memory); !read) return std::unexpected(read.error());
    std::optional<pause> stopped;
    if (options_.longest_pause.count() != 0) {
      auto begun = pause::begin(pid, options_.longest_pause);
      if (!begun) return std::unexpected(begun.error());
      stopped.emplace(std::move(*begun));
    }
    live_snapshot taken = taker(**memory).take();
    if (stopped) add_pause(stopped->end(), taken);
    taken.pid = pid_;
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
    if (auto read = modules_.refresh(*core_); !read) return std::unexpected(read.error());
    live_snapshot taken = taker(*core_).take();
    taken.pid = core_->pid();
    taken.rss_bytes = taken.memory.sum();
    if (core_->is_truncated()) taken.notes.emplace_back("the core file is truncated: what is missing is not shown");
    return taken;
  }

  base::result<std::vector<listed_frame>> list(const std::function<bool(const std::string&)>& wanted,
                                               std::size_t max_count) {
    const auto memory = open_memory();
    if (!memory) return std::unexpected(memory.error());
    const auto found = taker(**memory).find();
    std::vector<listed_frame> listed;
    // Most frames have the same function as the one before.
    const found_frame* last = nullptr;
    live_site site;
    bool take = false;
    for (const auto& each : found.frames) {
      if (listed.size() == max_count) break;
      const bool same = last != nullptr && last->coroutine == each.coroutine && last->index == each.index &&
                        last->ended == each.ended && last->merged == each.merged;
      if (!same) {
        site = site_of(each, modules_.known().coroutines);
        take = wanted(site.function) || wanted(fmt::format("{}:{}", site.where.file, site.where.line));
        last = &each;
      }
      if (!take) continue;
      listed.push_back({.address = each.address,
                        .function = site.function,
                        .where = site.where,
                        .kind = site.kind,
                        .bytes = each.bytes});
    }
    return listed;
  }

  base::result<frame_view> frame(std::uint64_t address) {
    const auto memory = open_memory();
    if (!memory) return std::unexpected(memory.error());
    const auto found = taker(**memory).find();
    const auto& known = modules_.known();
    const auto place = [&](std::uint64_t wanted) -> const found_frame* {
      const auto made = std::ranges::lower_bound(found.frames, wanted, {}, &found_frame::address);
      return made == found.frames.end() || made->address != wanted ? nullptr : &*made;
    };
    const auto* frame = place(address);
    if (frame == nullptr || frame->coroutine == found_frame::unknown_coroutine) {
      return base::input_error(
          fmt::format("no suspended frame begins at {:#x}; --list shows the addresses of frames", address));
    }
    frame_view view =
        view_frame(**memory, *frame, known.coroutines, known.binary_of(frame->coroutine), options_.debug_folders);
    if (const auto* waiter = place(frame->waiter); waiter != nullptr) {
      view.waiter = waiter->address;
      view.waiter_function = site_of(*waiter, known.coroutines).function;
    }
    return view;
  }

  [[nodiscard]] bool is_core() const noexcept { return core_ != nullptr; }
  [[nodiscard]] const core_file& core() const noexcept { return *core_; }

 private:
  void add_pause(const pause::outcome& paused, live_snapshot& to) const {
    to.paused_seconds = seconds(paused.lasted);
    if (!paused.timed_out) return;
    to.notes.push_back(fmt::format(
        "the process continued before all was read, as it may be stopped for {:.0f} ms only: allow more with --pause",
        seconds(options_.longest_pause) * 1000));
  }

  /// The current memory, after the binaries have been read.
  base::result<std::shared_ptr<const address_space>> open_memory() {
    if (core_) return std::shared_ptr<const address_space>(core_.get(), [](const address_space*) {});
    auto memory = process_memory::open(static_cast<pid_t>(pid_));
    if (!memory) return std::unexpected(memory.error());
    if (auto read = modules_.refresh(**memory); !read) return std::unexpected(read.error());
    return std::shared_ptr<const address_space>(std::move(*memory));
  }

  [[nodiscard]] snapshot_taker taker(const address_space& memory) const {
    return {memory, modules_.known(), {.stacks = options_.stacks, .pools = options_.pools, .rust = options_.rust}};
  }

  std::unique_ptr<core_file> core_;  ///< empty: a process
  std::int64_t pid_;
  live_options options_;
  module_cache modules_;
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
