#include "nats_stream.hpp"

#include "topics.hpp"

#include <utf8.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace push {

namespace {

using namespace std::chrono_literals;

using nats_options = std::unique_ptr<natsOptions, nats_deleter<natsOptions_Destroy>>;
using nats_message = std::unique_ptr<natsMsg, nats_deleter<natsMsg_Destroy>>;
using stream_info = std::unique_ptr<jsStreamInfo, nats_deleter<jsStreamInfo_Destroy>>;
using publish_ack = std::unique_ptr<jsPubAck, nats_deleter<jsPubAck_Destroy>>;
using message_metadata = std::unique_ptr<jsMsgMetaData, nats_deleter<jsMsgMetaData_Destroy>>;

constexpr const char* name_field = "Event-Name";
constexpr auto answer_wait = 2s;

std::string text_of(natsStatus status) { return natsStatus_GetText(status); }

constexpr std::int64_t nanoseconds_of(std::chrono::nanoseconds time) noexcept { return time.count(); }

}  // namespace

// --- the stream -----------------------------------------------------------------------------------------------------

nats_stream::nats_stream(stream_options options) : options_(std::move(options)) {
  std::string complained;
  for (;;) {
    const auto opened = open();
    if (opened) break;
    if (complained != opened.error()) {
      complained = opened.error();
      std::fprintf(stderr, "push: waiting for NATS at %s: %s\n", options_.url.c_str(), complained.c_str());
    }
    std::this_thread::sleep_for(200ms);
  }
  reader_ = std::jthread([this](const std::stop_token& stopped) { read(stopped); });
}

nats_stream::~nats_stream() {
  events_.close();
  reader_.request_stop();
  reader_.join();
}

std::expected<void, std::string> nats_stream::open() {
  natsOptions* made = nullptr;
  natsStatus status = natsOptions_Create(&made);
  const nats_options chosen(made);
  const auto set = [&status](natsStatus next) {
    if (status == NATS_OK) status = next;
  };
  set(natsOptions_SetURL(made, options_.url.c_str()));
  set(natsOptions_SetName(made, "push"));
  set(natsOptions_SetMaxReconnect(made, -1));
  set(natsOptions_SetReconnectWait(made, 250));
  set(natsOptions_SetPingInterval(made, 1000));  // finds a server that has vanished within 3 seconds
  set(natsOptions_SetMaxPingsOut(made, 2));
  set(natsOptions_SetFailRequestsOnDisconnect(made, true));
  const auto count = [](natsConnection*, void* counted) { ++*static_cast<std::atomic<unsigned>*>(counted); };
  set(natsOptions_SetReconnectedCB(made, count, &reconnections_));
  natsConnection* connected = nullptr;
  if (status == NATS_OK) status = natsConnection_Connect(&connected, made);
  connection_.reset(connected);
  jsOptions with{};
  set(jsOptions_Init(&with));
  with.Wait = std::chrono::milliseconds(answer_wait).count();
  jsCtx* context = nullptr;
  if (status == NATS_OK) status = natsConnection_JetStream(&context, connected, &with);
  context_.reset(context);
  if (status != NATS_OK) return std::unexpected(text_of(status));
  const auto found = look_or_create();
  if (!found) return std::unexpected(found.error());
  created_ = found->created;
  last_ = std::max<std::uint64_t>(found->first, 1) - 1;
  pending_ = found->last - std::min(last_, found->last);
  return {};
}

std::expected<nats_stream::bounds, natsStatus> nats_stream::look() const {
  jsStreamInfo* info = nullptr;
  const natsStatus status = js_GetStreamInfo(&info, context_.get(), options_.name.c_str(), nullptr, nullptr);
  const stream_info found(info);
  if (status != NATS_OK) return std::unexpected(status);
  const auto created = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::nanoseconds(info->Created));
  return bounds{.created = created, .first = info->State.FirstSeq, .last = info->State.LastSeq};
}

std::expected<nats_stream::bounds, std::string> nats_stream::look_or_create() const {
  auto found = look();
  if (!found && found.error() == NATS_NOT_FOUND) {
    jsStreamConfig config{};
    (void)jsStreamConfig_Init(&config);
    const std::string subject = options_.name + ".*";
    std::array<const char*, 1> subjects{subject.c_str()};
    config.Name = options_.name.c_str();
    config.Subjects = subjects.data();
    config.SubjectsLen = 1;
    config.MaxAge = nanoseconds_of(options_.max_age);
    config.Duplicates = std::min(nanoseconds_of(options_.max_age), nanoseconds_of(2min));
    const natsStatus made = js_AddStream(nullptr, context_.get(), &config, nullptr, nullptr);
    found = look();  // another process may have made it at the same time
    if (!found) return std::unexpected("cannot create the stream: " + text_of(made));
  }
  if (!found) return std::unexpected(text_of(found.error()));
  return *found;
}

bool nats_stream::is_connected() const noexcept {
  return natsConnection_Status(connection_.get()) == NATS_CONN_STATUS_CONNECTED;
}

std::expected<acknowledged, std::string> nats_stream::publish(const std::string& topic, const std::string& name,
                                                              std::string_view data, const std::string& key) const {
  // Without a connection, libnats would keep the event, and store it after this has failed.
  if (!is_connected()) return std::unexpected("there is no connection to NATS");
  const std::string subject = options_.name + '.' + topic;
  natsMsg* made = nullptr;
  natsStatus status = natsMsg_Create(&made, subject.c_str(), nullptr, data.data(), static_cast<int>(data.size()));
  const nats_message message(made);
  if (status == NATS_OK && !name.empty()) status = natsMsgHeader_Set(made, name_field, name.c_str());
  jsPubOptions with{};
  if (status == NATS_OK) status = jsPubOptions_Init(&with);
  with.MaxWait = std::chrono::milliseconds(answer_wait).count();
  with.MsgId = key.c_str();
  with.ExpectStream = options_.name.c_str();
  jsPubAck* ack = nullptr;
  if (status == NATS_OK) status = js_PublishMsg(&ack, context_.get(), made, &with, nullptr);
  const publish_ack stored(ack);
  if (status != NATS_OK) return std::unexpected("NATS has not stored the event: " + text_of(status));
  return acknowledged{.sequence = ack->Sequence, .is_duplicate = ack->Duplicate};
}

// --- reading --------------------------------------------------------------------------------------------------------

void nats_stream::read(const std::stop_token& stopped) {
  bool is_caught_up = false;
  int idle = 0;
  unsigned reconnections = 0;
  while (!stopped.stop_requested()) {
    const unsigned now = reconnections_.load();
    if (std::exchange(reconnections, now) != now) consumer_.reset();  // it may not exist any more
    if (consumer_ == nullptr) {
      if (!is_connected()) {
        std::this_thread::sleep_for(50ms);
        continue;
      }
      if (!is_intact()) break;
      if (!subscribe()) {
        std::this_thread::sleep_for(100ms);
        continue;
      }
    }
    const int count = fetch(stopped);
    if (pending_ == 0 && consumer_ != nullptr && !std::exchange(is_caught_up, true)) {
      send({.kind = streamed_kind::caught_up, .sequence = last_}, stopped);
    }
    idle = count == 0 ? idle + 1 : 0;
    constexpr int max_idle = 20;  // 10 seconds
    if (is_broken_) break;
    if (idle > max_idle) {
      // Without events, a stream that has been replaced, or a consumer that is gone, is noticed only by looking.
      consumer_.reset();
      idle = 0;
    }
  }
  consumer_.reset();
  events_.close();
}

bool nats_stream::is_intact() const {
  const auto now = look();
  if (!now && now.error() != NATS_NOT_FOUND) return true;  // nothing is known
  if (!now || now->created != created_ || now->last < last_) {
    std::fputs("push: the stream has been replaced\n", stderr);
    return false;
  }
  if (has_read_ && now->first > last_ + 1) {
    std::fputs("push: the stream has dropped events that have not been read\n", stderr);
    return false;
  }
  return true;
}

bool nats_stream::subscribe() {
  jsSubOptions with{};
  (void)jsSubOptions_Init(&with);
  with.Stream = options_.name.c_str();
  with.Config.DeliverPolicy = js_DeliverByStartSequence;
  with.Config.OptStartSeq = last_ + 1;
  with.Config.AckPolicy = js_AckNone;
  with.Config.InactiveThreshold = nanoseconds_of(30s);
  with.Config.MemoryStorage = true;
  const std::string subject = options_.name + ".*";
  natsSubscription* made = nullptr;
  const natsStatus status = js_PullSubscribe(&made, context_.get(), subject.c_str(), nullptr, nullptr, &with, nullptr);
  consumer_.reset(made);
  if (status != NATS_OK) std::fprintf(stderr, "push: cannot read the stream: %s\n", text_of(status).c_str());
  return status == NATS_OK;
}

int nats_stream::fetch(const std::stop_token& stopped) {
  // It returns when it has as many as it asks for, so it asks for those that are there, or for the next one.
  constexpr std::uint64_t max_count = 64;
  const int count = static_cast<int>(std::clamp<std::uint64_t>(pending_, 1, max_count));
  natsMsgList list{};
  const natsStatus status =
      natsSubscription_Fetch(&list, consumer_.get(), count, std::chrono::milliseconds(500ms).count(), nullptr);
  const int got = list.Count;
  for (int i = 0; i < got; ++i) pass_on(list.Msgs[i], stopped);
  natsMsgList_Destroy(&list);
  if (status == NATS_TIMEOUT && got == 0) pending_ = 0;
  const bool is_usable = status == NATS_OK || status == NATS_TIMEOUT;
  if (!is_usable || !natsSubscription_IsValid(consumer_.get())) consumer_.reset();
  return got;
}

void nats_stream::pass_on(natsMsg* message, const std::stop_token& stopped) {
  jsMsgMetaData* data = nullptr;
  const natsStatus status = natsMsg_GetMetaData(&data, message);
  const message_metadata about(data);
  if (status != NATS_OK || is_broken_) return;
  const std::uint64_t sequence = about->Sequence.Stream;
  pending_ = about->NumPending;
  if (sequence <= last_) return;
  if (has_read_ && sequence != last_ + 1 && !is_intact()) {
    is_broken_ = true;
    return;
  }
  send(parsed(message, sequence), stopped);
  last_ = sequence;
  has_read_ = true;
}

streamed nats_stream::parsed(natsMsg* message, std::uint64_t sequence) const {
  const std::string_view subject = natsMsg_GetSubject(message);
  const std::string_view topic = subject.substr(std::min(options_.name.size() + 1, subject.size()));
  const auto bytes = static_cast<std::size_t>(natsMsg_GetDataLength(message));
  const std::string_view data(natsMsg_GetData(message), bytes);
  const char* name = "";
  (void)natsMsgHeader_Get(message, name_field, &name);
  const bool is_event = is_topic_name(topic) && is_event_name(name == nullptr ? "" : name) &&
                        bytes <= options_.max_event_bytes && utf8::is_valid(data.begin(), data.end());
  if (!is_event) {
    return {.kind = streamed_kind::skipped, .sequence = sequence};
  }
  return {.kind = streamed_kind::event,
          .sequence = sequence,
          .topic = std::string(topic),
          .name = name == nullptr ? "" : name,
          .data = std::string(data)};
}

/// Waits while the gateway has no room; meanwhile NATS keeps the events.
void nats_stream::send(streamed passed, const std::stop_token& stopped) {
  while (!events_.try_send(passed) && !stopped.stop_requested()) std::this_thread::sleep_for(1ms);
}

}  // namespace push
