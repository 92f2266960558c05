#include "task_watch.hpp"

#include <tare/offload.hpp>
#include <tare/sleep.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <sstream>
#include <utility>

namespace service {

using nlohmann::json;
using tare::task;

namespace {

constexpr std::chrono::seconds oldest{1};

double microseconds(std::chrono::nanoseconds time) { return std::chrono::duration<double, std::micro>(time).count(); }

json described(const tare::walked_heap& of) {
  return {{"frames", of.frames},         {"frame_bytes", of.frame_bytes},
          {"live_bytes", of.live_bytes}, {"held_bytes", of.held_bytes},
          {"pauses", of.pauses},         {"longest_pause_microseconds", microseconds(of.longest_pause)}};
}

}  // namespace

task<std::shared_ptr<const tare::task_snapshot>> task_watch::look() {
  const auto locked = co_await guard_.lock();
  if (latest_ == nullptr || tare::now() - taken_ > oldest) {
    tare::snapshot_options options;
    options.awaits = has_awaits_ ? &awaits_ : nullptr;
    tare::task_snapshot seen = co_await tare::snapshot(options);
    latest_ = std::make_shared<const tare::task_snapshot>(std::move(seen));
    taken_ = tare::now();
  }
  co_return latest_;
}

task<> task_watch::read_awaits() {
  const auto locked = co_await guard_.lock();
  if (has_awaits_) co_return;
  auto read = [] { return tare::read_awaits(); };
  tare::program_awaits found = co_await tare::offload(read);
  awaits_ = std::move(found.table);
  has_awaits_ = true;
  keep(found.notes);
  latest_ = nullptr;  // it contains no lines
}

task<> task_watch::read_names(const tare::task_snapshot& of) {
  std::vector<const void*> unknown;
  for (const tare::frame_group& each : of.groups) {
    const bool known = each.resume == nullptr || awaits_.find(each.resume) != nullptr || names_.contains(each.resume);
    if (!known) unknown.push_back(each.resume);
  }
  if (unknown.empty()) co_return;
  auto read = [&unknown] { return tare::name_code(unknown); };
  tare::code_names found = co_await tare::offload(read);
  for (std::size_t i = 0; i < unknown.size(); ++i) {
    // An address that is not code belonged to a frame under construction and will not reappear.
    if (!found.names[i].module.empty()) names_.emplace(unknown[i], std::move(found.names[i]));
  }
  keep(found.notes);
}

void task_watch::keep(std::vector<std::string>& notes) {
  for (std::string& note : notes) {
    if (std::ranges::find(notes_, note) == notes_.end()) notes_.push_back(std::move(note));
  }
}

task_watch::place task_watch::place_of(const tare::frame_group& group) const {
  if (const auto at = awaits_.place(group.resume, group.suspend_index)) {
    return {.function = std::string(at->function),
            .file = std::string(at->file),
            .line = at->line,
            .is_await = at->is_await};
  }
  place at;
  if (const auto found = names_.find(group.resume); found != names_.end()) {
    at = {.function = found->second.function, .file = found->second.file, .line = found->second.line};
  }
  if (at.function.empty() && group.resume != nullptr) {
    std::ostringstream address;
    address << group.resume;
    at.function = address.str();
  }
  return at;
}

json task_watch::described(const tare::frame_group& of) const {
  const place at = place_of(of);
  return {{"function", at.function},
          {"file", at.file},
          {"line", at.line},
          {"at_await", at.is_await},
          {"waiting_for", name_of(of.waiting_for)},
          {"count", of.count},
          {"frame_bytes", of.frame_bytes},
          {"total_bytes", of.total_bytes()}};
}

task<json> task_watch::describe() {
  co_await read_awaits();
  const auto seen = co_await look();
  const auto locked = co_await guard_.lock();
  co_await read_names(*seen);
  json groups = json::array();
  for (const tare::frame_group& each : seen->groups) groups.push_back(described(each));
  json shards = json::array();
  for (const tare::walked_heap& each : seen->shards) {
    json shard = service::described(each);
    shard["shard"] = shards.size();
    shards.push_back(std::move(shard));
  }
  json all = json::object();
  all["schema"] = 1;
  all["frames"] = seen->frames();
  all["frame_bytes"] = seen->frame_bytes();
  all["longest_pause_microseconds"] = microseconds(seen->longest_pause());
  all["ungrouped"] = seen->ungrouped;
  all["groups"] = std::move(groups);
  all["shards"] = std::move(shards);
  all["outside"] = service::described(seen->outside);
  all["notes"] = notes_;
  co_return all;
}

void report_long_slice(const tare::long_slice& found) {
  // Read when it is first needed: it weighs some memory.
  static const tare::program_awaits known = tare::read_awaits();
  const auto at = known.table.place(found.resume);
  const std::string name = at ? std::string(at->function) : "a coroutine that is not in the await table";
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(found.lasted).count();
  std::fprintf(stderr, "service: shard %u has been held up for %lld ms by %s\n", static_cast<unsigned>(found.shard),
               static_cast<long long>(milliseconds), name.c_str());
}

}  // namespace service
