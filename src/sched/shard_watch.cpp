#include <tare/shard_watch.hpp>

#include "sched/runtime_core.hpp"
#include "sched/shard_meter.hpp"

#include <tare/runtime.hpp>

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace tare {

std::uint64_t duration_counts::count() const noexcept {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

double shard_figures::busy_share() const noexcept {
  if (watched <= std::chrono::nanoseconds(0)) return 0;
  return 1 - static_cast<double>(asleep.count()) / static_cast<double>(watched.count());
}

/// Measures the shards during its lifetime, and looks at their slices from a thread of its own.
class shard_watch::watcher {
 public:
  watcher(detail::runtime_core& of, shard_watch_options options) : runtime_(of), options_(std::move(options)) {
    if (options_.max_slice < std::chrono::nanoseconds(0)) {
      throw std::invalid_argument("tare: shard_watch_options::max_slice is negative");
    }
    if (!runtime_.try_begin_watch()) {
      throw std::logic_error("tare: shard_watch: the runtime is already being watched: share the other watch");
    }
    try {
      begin();
    } catch (...) {
      end();
      throw;
    }
  }
  ~watcher() { end(); }
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;

  [[nodiscard]] std::vector<shard_figures> figures() const {
    std::vector<shard_figures> all;
    for (std::size_t i = 0; i < runtime_.shard_count(); ++i) {
      all.push_back(runtime_.meters()[i]->figures());
      all.back().tasks = runtime_.shard_at(static_cast<shard_id>(i)).load();
    }
    return all;
  }

 private:
  void begin() {
    auto& meters = runtime_.meters();
    meters.reserve(runtime_.shard_count());
    while (meters.size() < runtime_.shard_count()) meters.push_back(std::make_unique<detail::shard_meter>());
    for (std::size_t i = 0; i < meters.size(); ++i) {
      meters[i]->begin(options_.awaits);
      runtime_.measure(static_cast<shard_id>(i), *meters[i]);
    }
    reported_.resize(meters.size());
    if (options_.max_slice > std::chrono::nanoseconds(0)) thread_ = std::thread([this] { look_until_stopped(); });
  }

  void end() noexcept {
    {
      const std::scoped_lock guard(lock_);
      stopped_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    const std::size_t measured = runtime_.meters().size();
    for (std::size_t i = 0; i < measured; ++i) {
      runtime_.shard_at(static_cast<shard_id>(i)).measure_with(nullptr);
      runtime_.meters()[i]->end();
    }
    runtime_.end_watch();
  }

  void look_until_stopped() noexcept {
    (void)::pthread_setname_np(::pthread_self(), "tare/watch");
    // A slice is noticed at most half as late again as it may last.
    const std::chrono::nanoseconds period =
        std::max<std::chrono::nanoseconds>(options_.max_slice / 2, std::chrono::milliseconds(1));
    std::unique_lock guard(lock_);
    while (!changed_.wait_for(guard, period, [this] { return stopped_; })) {
      guard.unlock();
      for (std::size_t i = 0; i < reported_.size(); ++i) look_at(i);
      guard.lock();
    }
  }

  void look_at(std::size_t shard) noexcept {
    const auto slice = runtime_.meters()[shard]->current_slice();
    if (slice.number == 0 || slice.number == reported_[shard]) return;
    const std::chrono::nanoseconds lasted(detail::shard_meter::now() - slice.began);
    if (lasted <= options_.max_slice) return;
    reported_[shard] = slice.number;
    report({.shard = static_cast<shard_id>(shard),
            .lasted = lasted,
            .resume = slice.resume,
            .suspend_index = slice.suspend_index});
  }

  void report(const long_slice& found) const noexcept {
    if (options_.on_long_slice) {
      options_.on_long_slice(found);
      return;
    }
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(found.lasted).count();
    std::optional<suspension_point> at;
    if (options_.awaits != nullptr) at = options_.awaits->place(found.resume, found.suspend_index);
    if (at) {
      std::fprintf(stderr, "tare: shard %u has run one task for %lld ms: %.*s, resumed at %.*s:%u\n",
                   static_cast<unsigned>(found.shard), static_cast<long long>(milliseconds),
                   static_cast<int>(at->function.size()), at->function.data(), static_cast<int>(at->file.size()),
                   at->file.data(), at->line);
    } else {
      std::fprintf(stderr, "tare: shard %u has run one task for %lld ms: the coroutine resumed by the function at %p\n",
                   static_cast<unsigned>(found.shard), static_cast<long long>(milliseconds), found.resume);
    }
  }

  detail::runtime_core& runtime_;
  shard_watch_options options_;
  std::vector<std::uint64_t> reported_;  ///< the number of the last slice reported, by shard
  std::mutex lock_;
  std::condition_variable changed_;
  bool stopped_ = false;
  std::thread thread_;
};

shard_watch::shard_watch(runtime& rt, shard_watch_options options)
    : watcher_(std::make_unique<watcher>(*rt.core_, std::move(options))) {}
shard_watch::~shard_watch() = default;
std::vector<shard_figures> shard_watch::figures() const { return watcher_->figures(); }

}  // namespace tare
