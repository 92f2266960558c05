#include "support/postgresql_server.hpp"

#include <libpq-fe.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>

namespace support {

namespace {

using namespace std::chrono_literals;

constexpr const char* user = "postgres";

/// Its output goes to the file.
pid_t spawn(std::vector<std::string> arguments, const std::filesystem::path& log) {
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& each : arguments) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t pid = -1;
  const int failure = ::posix_spawnp(&pid, pointers[0], &files, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failure != 0) throw std::runtime_error("cannot run " + arguments[0]);
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

}  // namespace

std::vector<std::string> postgresql_server::as_its_user(const std::string& program) const {
  const std::string path = std::string(programs) + "/" + program;
  if (::geteuid() != 0) return {path};
  // The server refuses to run as root.
  return {"setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--pdeathsig", "INT", "--", path};
}

postgresql_server::postgresql_server() : port_(free_port()) {
  if (!std::filesystem::exists(std::string(programs) + "/postgres")) {
    throw std::runtime_error(std::string("there is no PostgreSQL 15 in ") + programs + ": ./setup installs it");
  }
  namespace fs = std::filesystem;
  if (::geteuid() == 0) {
    const int changed = wait_for(spawn({"chown", user, folder_.path()}, folder_ / "chown.log"));
    if (changed != 0) throw std::runtime_error("cannot give " + folder_.path().string() + " to the user postgres");
  }
  auto make = as_its_user("initdb");
  for (const std::string& option :
       {std::string("--pgdata"), (folder_ / "data").string(), std::string("--no-sync"), std::string("--auth=trust"),
        std::string("--encoding=UTF8"), std::string("--locale=C"), std::string("--username=") + user}) {
    make.push_back(option);
  }
  const fs::path log = folder_ / "initdb.log";
  if (wait_for(spawn(std::move(make), log)) != 0) throw std::runtime_error("initdb failed: " + read_file(log));
}

postgresql_server::~postgresql_server() {
  if (runs()) crash();
}

void postgresql_server::start() {
  auto run = as_its_user("postgres");
  for (const std::string& option :
       {std::string("-D"), (folder_ / "data").string(), std::string("-k"), folder_.path().string(), std::string("-p"),
        std::to_string(port_), std::string("-h"), std::string("127.0.0.1"), std::string("-c"), std::string("fsync=off"),
        std::string("-c"), std::string("max_connections=50"), std::string("-c"), std::string("shared_buffers=16MB"),
        std::string("-c"), std::string("dynamic_shared_memory_type=mmap")}) {
    run.push_back(option);
  }
  std::promise<pid_t> started;
  std::future<pid_t> pid = started.get_future();
  starter_ = std::jthread([tell = std::move(started), arguments = std::move(run),
                           log = folder_ / "server.log"](const std::stop_token& ended) mutable {
    std::mutex lock;
    std::condition_variable_any changed;
    try {
      tell.set_value(spawn(std::move(arguments), log));
    } catch (...) {
      tell.set_exception(std::current_exception());
    }
    std::unique_lock guard(lock);
    changed.wait(guard, ended, [] { return false; });
  });
  pid_ = pid.get();
  const std::string here = uri(user);
  for (auto waited = 0ms; waited < 30s; waited += 20ms) {
    if (PQping(here.c_str()) == PQPING_OK) return;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error("the server has ended: " + read_file(folder_ / "server.log"));
    }
    std::this_thread::sleep_for(20ms);
  }
  throw std::runtime_error("the server accepts no connections: " + read_file(folder_ / "server.log"));
}

void postgresql_server::end_by(int signal) {
  if (!runs()) return;
  ::kill(pid_, signal);
  wait_for(pid_);
  pid_ = -1;
}

std::string postgresql_server::uri(const std::string& database) const {
  return "postgresql:///" + database + "?host=" + folder_.path().string() + "&port=" + std::to_string(port_) +
         "&user=" + user;
}

std::string postgresql_server::tcp_uri(const std::string& database) const {
  return std::string("postgresql://") + user + "@127.0.0.1:" + std::to_string(port_) + "/" + database;
}

std::string postgresql_server::make_database() {
  const std::string name = "test_" + std::to_string(++databases_);
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(uri(user).c_str()), &PQfinish);
  const std::unique_ptr<PGresult, decltype(&PQclear)> made(
      PQexec(connection.get(), ("CREATE DATABASE " + name + " TEMPLATE template0").c_str()), &PQclear);
  if (PQresultStatus(made.get()) != PGRES_COMMAND_OK) throw std::runtime_error(PQerrorMessage(connection.get()));
  return uri(name);
}

}  // namespace support
