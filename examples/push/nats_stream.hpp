#pragma once

// The stream of events that several gateways share: a stream of NATS JetStream. What is published on any of them is
// stored there once, in one order, and each process reads all of it, in that order, with one consumer.
//
// A thread reads. It begins with what the stream still has, so that every process has the same histories, and continues
// after the last event that it has seen whenever NATS can be reached again.

#include <tare/channel.hpp>

#include <nats/nats.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

namespace push {

struct stream_options {
  std::string url = {};
  std::string name = "push";               ///< of the stream; the subjects are NAME.TOPIC
  std::chrono::seconds max_age{600};       ///< how long events are kept if this process creates the stream
  std::size_t max_event_bytes = SIZE_MAX;  ///< others are skipped
};

enum class streamed_kind : std::uint8_t {
  event,
  skipped,    ///< not one that a gateway publishes
  caught_up,  ///< all that the stream had when it was opened has been passed on
};

/// What the thread passes on.
struct streamed {
  streamed_kind kind = streamed_kind::event;
  std::uint64_t sequence = 0;
  std::string topic = {};
  std::string name = {};
  std::string data = {};
};

struct acknowledged {
  std::uint64_t sequence = 0;
  bool is_duplicate = false;
};

/// Owns an object of libnats.
template <auto Destroy>
struct nats_deleter {
  void operator()(auto* owned) const noexcept { Destroy(owned); }
};
using nats_connection = std::unique_ptr<natsConnection, nats_deleter<natsConnection_Destroy>>;
using nats_context = std::unique_ptr<jsCtx, nats_deleter<jsCtx_Destroy>>;
using nats_subscription = std::unique_ptr<natsSubscription, nats_deleter<natsSubscription_Destroy>>;

class nats_stream {
 public:
  /// Connects, creates the stream if there is none, and begins to read. Waits for NATS as long as necessary, and prints
  /// what it waits for. Throws std::bad_alloc and std::system_error.
  explicit nats_stream(stream_options options);
  nats_stream(const nats_stream&) = delete;
  nats_stream& operator=(const nats_stream&) = delete;
  ~nats_stream();

  [[nodiscard]] std::chrono::microseconds created() const noexcept { return created_; }
  /// Closed when the stream has been replaced, or has lost events before they have been read: then no position is valid
  /// any more, and a new object is needed.
  [[nodiscard]] tare::channel<streamed>& events() noexcept { return events_; }
  [[nodiscard]] bool is_connected() const noexcept;

  /// Stores an event, and waits until JetStream has acknowledged it. `key` is its Nats-Msg-Id: with the same key, an
  /// event is stored once. **Threads** Any; it blocks.
  [[nodiscard]] std::expected<acknowledged, std::string> publish(const std::string& topic, const std::string& name,
                                                                 std::string_view data, const std::string& key) const;

 private:
  struct bounds {
    std::chrono::microseconds created{0};
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  [[nodiscard]] std::expected<void, std::string> open();
  [[nodiscard]] std::expected<bounds, natsStatus> look() const;
  [[nodiscard]] std::expected<bounds, std::string> look_or_create() const;

  void read(const std::stop_token& stopped);
  /// False if the stream is not the same any more.
  [[nodiscard]] bool is_intact() const;
  [[nodiscard]] bool subscribe();
  /// The number of messages. Afterwards there is no consumer if it must be made again.
  int fetch(const std::stop_token& stopped);
  void pass_on(natsMsg* message, const std::stop_token& stopped);
  void send(streamed passed, const std::stop_token& stopped);
  [[nodiscard]] streamed parsed(natsMsg* message, std::uint64_t sequence) const;

  stream_options options_;
  std::atomic<unsigned> reconnections_ = 0;  ///< outlives the connection, which counts them
  nats_connection connection_;
  nats_context context_;
  nats_subscription consumer_;
  std::chrono::microseconds created_{0};
  std::uint64_t last_ = 0;     ///< that has been read
  std::uint64_t pending_ = 0;  ///< that are in the stream after it, as far as is known
  bool has_read_ = false;
  bool is_broken_ = false;
  tare::channel<streamed> events_{64};
  std::jthread reader_;
};

}  // namespace push
