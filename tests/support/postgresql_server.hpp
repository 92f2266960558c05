#pragma once

// A PostgreSQL server of a test's own: on a temporary folder, reachable by a Unix socket and a free port of loopback,
// and gone with its object.

#include "support/temporary_folder.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace support {

class postgresql_server {
 public:
  /// Makes the folder; the server is down. Throws std::runtime_error.
  postgresql_server();
  postgresql_server(const postgresql_server&) = delete;
  postgresql_server& operator=(const postgresql_server&) = delete;
  ~postgresql_server();

  /// Returns when it takes connections.
  void start();
  /// Ends connections and transactions in an orderly way.
  void stop() { end_by(2); }  // SIGINT
  /// As if it had crashed; the next start recovers.
  void crash() { end_by(3); }  // SIGQUIT
  [[nodiscard]] bool runs() const { return pid_ > 0; }

  /// Makes an empty database and gives its URI, through the Unix socket.
  [[nodiscard]] std::string make_database();
  /// Of a database, through TCP.
  [[nodiscard]] std::string tcp_uri(const std::string& database) const;

  /// Where Debian has it.
  static constexpr const char* programs = "/usr/lib/postgresql/15/bin";

 private:
  [[nodiscard]] std::vector<std::string> as_its_user(const std::string& program) const;
  [[nodiscard]] std::string uri(const std::string& database) const;
  void end_by(int signal);

  temporary_folder folder_;
  int port_ = 0;
  pid_t pid_ = -1;
  /// The server is to end if this process is killed; the kernel takes the end of the thread that started it for that.
  std::jthread starter_;
  int databases_ = 0;
};

}  // namespace support
