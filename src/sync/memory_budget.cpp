#include <tare/memory_budget.hpp>

#include "frame/resident_memory.hpp"

#include <malloc.h>

#include <chrono>
#include <utility>

namespace tare {

namespace {

constexpr std::int64_t look_pause = 1'000'000;
constexpr std::int64_t trim_pause = 1'000'000'000;

std::int64_t present() noexcept { return std::chrono::steady_clock::now().time_since_epoch().count(); }

/// True for one caller in each `pause`.
bool due(std::atomic<std::int64_t>& last, std::int64_t now, std::int64_t pause) noexcept {
  std::int64_t before = last.load(std::memory_order_relaxed);
  return now - before >= pause && last.compare_exchange_strong(before, now, std::memory_order_relaxed);
}

}  // namespace

memory_budget::memory_budget(std::size_t limit, std::function<std::size_t()> held)
    : limit_(limit), ask_(held ? std::move(held) : std::function<std::size_t()>(detail::resident_bytes)) {
  if (limit_ != SIZE_MAX) {
    look();
    base_ = held_.load(std::memory_order_relaxed);
  }
}

void memory_budget::look() noexcept {
  // What is promised while the kernel is asked counts as not in its answer.
  promised_since_.store(0, std::memory_order_relaxed);
  held_.store(ask_(), std::memory_order_relaxed);
}

std::size_t memory_budget::held() noexcept {
  if (due(looked_at_, present(), look_pause)) look();
  return held_.load(std::memory_order_relaxed);
}

bool memory_budget::fits(std::size_t bytes, std::size_t promised) noexcept {
  if (bytes > limit_) return false;
  const std::size_t left = limit_ - bytes;
  return held() + promised_since_.load(std::memory_order_relaxed) <= left && base_ + promised <= left;
}

void memory_budget::make_room() noexcept {
  // What the allocator keeps for later is ours to give back; without this a burst could shut the door for good.
  if (!due(trimmed_at_, present(), trim_pause)) return;
  ::malloc_trim(0);
  look();
}

bool memory_budget::has_room(std::size_t bytes) noexcept {
  if (limit_ == SIZE_MAX) return true;
  if (fits(bytes, promised())) return true;
  make_room();
  return fits(bytes, promised());
}

memory_share memory_budget::try_admit(std::size_t bytes) noexcept {
  const std::size_t before = promised_.fetch_add(bytes, std::memory_order_relaxed);
  if (limit_ == SIZE_MAX || fits(bytes, before)) {
    promised_since_.fetch_add(bytes, std::memory_order_relaxed);
    return {*this, bytes};
  }
  make_room();
  if (fits(bytes, before)) {
    promised_since_.fetch_add(bytes, std::memory_order_relaxed);
    return {*this, bytes};
  }
  promised_.fetch_sub(bytes, std::memory_order_relaxed);
  refusals_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

}  // namespace tare
