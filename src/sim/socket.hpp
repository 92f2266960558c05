#pragma once

// Simulated sockets. A connection is two streams, one in each direction; each has bytes in transit, and bytes that
// have arrived and are not yet read.

#include "sim/address.hpp"
#include "sim/file.hpp"

#include <tare/sim/wire.hpp>

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::sim::detail {

class kernel;

/// What TCP, Unix and datagram sockets have in common.
class socket_file : public file {
 public:
  explicit socket_file(kernel& in, int family) : kernel_(in) { local.family = family; }
  socket_file(const socket_file&) = delete;
  socket_file& operator=(const socket_file&) = delete;
  ~socket_file() override;

  int bind(const address& at);
  virtual int connect(const address& to) = 0;
  virtual int listen(int backlog);
  virtual ssize_t send(std::span<const char> bytes, int flags, const address* to) = 0;
  /// `whole` is set to the size of a datagram that did not fit.
  virtual ssize_t receive(std::span<char> into, int flags, address* from, std::size_t& whole) = 0;
  virtual int shutdown(int how);
  ssize_t read(std::span<char> into) final;
  ssize_t write(std::span<const char> bytes) final;
  void closed() override;

  [[nodiscard]] int take_error() noexcept { return std::exchange(error_, 0); }
  [[nodiscard]] bool has_peer() const noexcept { return remote.port != 0 || !remote.path.empty() || is_pair; }

  address local;
  address remote;
  bool reuse_address = false;
  bool reuse_port = false;
  bool v6_only = false;
  bool is_pair = false;
  bool resets_on_close = false;

 protected:
  [[nodiscard]] virtual const char* kind() const noexcept = 0;
  [[nodiscard]] virtual bool shares_address_with(const socket_file& other) const noexcept;
  void register_address();
  /// Chooses a port and, for a destination, the own address.
  int bind_for(const address& to);
  /// Blocks a socket that may block; false: the call fails with EAGAIN.
  bool wait_for(std::uint32_t wanted, const char* in);

  kernel& kernel_;
  int error_ = 0;

 private:
  [[nodiscard]] std::string key() const;
  void unregister() noexcept;

  std::string registered_as_;  ///< empty: not registered
};

/// The sockets of `kind` that are bound to an address.
[[nodiscard]] std::vector<socket_file*> bound_to(machine& on, const char* kind, const address& at);

class stream_socket final : public socket_file {
 public:
  using socket_file::socket_file;

  [[nodiscard]] std::uint32_t readiness() const noexcept override;
  int connect(const address& to) override;
  int listen(int backlog) override;
  /// nullptr with errno.
  std::shared_ptr<stream_socket> accept();
  ssize_t send(std::span<const char> bytes, int flags, const address* to) override;
  ssize_t receive(std::span<char> into, int flags, address* from, std::size_t& whole) override;
  int shutdown(int how) override;
  void closed() override;
  /// socketpair(2)
  static void join(const std::shared_ptr<stream_socket>& one, const std::shared_ptr<stream_socket>& other);
  [[nodiscard]] std::size_t unread() const noexcept { return received_.size(); }
  /// The connection fails with `error` on this side.
  void break_off(int error);
  [[nodiscard]] stream_socket* peer() const noexcept { return peer_.get(); }
  /// A crash: the peer learns of it only when it sends something.
  void vanish();
  /// The simulation ends: the two sides of a connection no longer keep each other.
  void forget_peer() noexcept { peer_.reset(); }

  std::weak_ptr<file> own;  ///< set by the kernel

 protected:
  [[nodiscard]] const char* kind() const noexcept override { return "stream"; }
  [[nodiscard]] bool shares_address_with(const socket_file& other) const noexcept override;

 private:
  enum class state : std::uint8_t { fresh, listening, connecting, established, broken };
  struct segment {
    enum class kind : std::uint8_t { data, end, reset } what;
    std::string bytes;
    std::int64_t arrival = 0;
    bool cuts = false;  ///< a fault: when it has arrived, nothing else does
  };

  [[nodiscard]] std::shared_ptr<stream_socket> self() { return std::static_pointer_cast<stream_socket>(own.lock()); }
  [[nodiscard]] std::size_t space() const noexcept;
  void check_sent(std::string_view bytes);
  void transmit(segment sent);
  void transmit_data(std::string_view left);
  /// Nothing arrives any more between the two hosts, and nothing says so.
  void cut_off();
  void schedule_arrival(std::int64_t time, std::int64_t retry_after);
  /// The oldest segment in transit arrives at the peer, or is tried again later.
  void arrive(std::int64_t retry_after);
  void deliver(segment& arrived);
  void acknowledge(std::size_t bytes, std::int64_t retry_after);
  /// True, with EAGAIN, if an injected fault makes this call wait; it succeeds the next time.
  bool must_wait(bool& has_waited, int flags);
  void send_handshake(std::int64_t retry_after);
  void receive_handshake(const std::shared_ptr<stream_socket>& client);
  void enter_queue(const std::shared_ptr<stream_socket>& accepted);
  [[nodiscard]] std::shared_ptr<stream_socket> listener_for(const address& to) const;

  state state_ = state::fresh;
  std::shared_ptr<stream_socket> peer_;
  std::string received_;
  bool end_received_ = false;
  bool end_sent_ = false;
  bool is_closed_ = false;
  bool lacked_space_ = false;
  bool send_has_waited_ = false;
  bool receive_has_waited_ = false;
  std::deque<segment> in_transit_;
  std::int64_t last_arrival_ = 0;
  std::uint64_t arrivals_scheduled_ = 0;
  std::size_t outstanding_ = 0;  ///< bytes that the peer has not read
  std::int64_t stalled_since_ = -1;
  std::size_t backlog_ = 0;
  std::size_t half_open_ = 0;
  std::deque<std::shared_ptr<stream_socket>> accepted_;
  std::int64_t connecting_since_ = 0;
  std::shared_ptr<wire_checker> checker_;  ///< of both ends
  wire_checker::end end_ = wire_checker::end::client;
};

class datagram_socket final : public socket_file {
 public:
  using socket_file::socket_file;
  [[nodiscard]] std::uint32_t readiness() const noexcept override;
  int connect(const address& to) override;
  ssize_t send(std::span<const char> bytes, int flags, const address* to) override;
  ssize_t receive(std::span<char> into, int flags, address* from, std::size_t& whole) override;

  std::weak_ptr<file> own;

 protected:
  [[nodiscard]] const char* kind() const noexcept override { return "datagram"; }

 private:
  struct datagram {
    address from;
    std::string bytes;
  };
  void arrive(const datagram& sent, const address& to);

  std::deque<datagram> received_;
};

}  // namespace tare::sim::detail
