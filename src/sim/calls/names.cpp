// Names of files: what exists, and changes of it.

#include "sim/calls/real.hpp"
#include "sim/calls/simulating.hpp"
#include "sim/disk_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

using tare::sim::detail::admit;
using tare::sim::detail::content_of;
using tare::sim::detail::describe;
using tare::sim::detail::disk_call;
using tare::sim::detail::disk_core;
using tare::sim::detail::fails_with;
using tare::sim::detail::is_of_system;
using tare::sim::detail::kernel;
using tare::sim::detail::means_real_file;

namespace tare::sim::detail {

void use_name_calls() noexcept {}

}  // namespace tare::sim::detail

namespace {

/// nullptr if the call is for the real system.
[[nodiscard]] kernel* reading(const char* path) {
  kernel* const in = kernel::of_caller();
  return in == nullptr || means_real_file(*in, path) ? nullptr : in;
}

/// 0, or the error of a path that names nothing.
[[nodiscard]] int missing(kernel& in, const char* path) {
  if (*path == '\0') return ENOENT;
  const disk_core& disk = *in.here().disk;
  const std::string name = disk_core::normal(path);
  if (disk.find(name) != nullptr) return 0;
  return disk.check_parent(name) == ENOTDIR ? ENOTDIR : ENOENT;
}

int describe_path(kernel& in, const char* call, const char* path, struct stat* into) {
  if (const bool is_device = std::string_view(path).starts_with("/dev/"); is_device || content_of(in, path)) {
    *into = {};
    into->st_mode = is_device ? S_IFCHR | 0666 : S_IFREG | 0444;
    into->st_nlink = 1;
    return in.made(call, -1, 0);
  }
  if (is_of_system(path)) kernel::refuse((std::string("stat of ") + path).c_str());
  if (const int error = missing(in, path); error != 0) return in.made(call, -1, fails_with(error));
  const disk_core& disk = *in.here().disk;
  describe(disk, *disk.find(disk_core::normal(path)), *into);
  return in.made(call, -1, 0);
}

/// `change` returns an error number, or 0.
template <class Change>
int change_names(kernel& in, const char* call, const char* path, Change change) {
  if (*path == '\0') return in.made(call, -1, fails_with(ENOENT));
  if (is_of_system(path)) kernel::refuse((std::string(call) + " of " + path).c_str());
  int error = admit(in, in.here(), disk_call::name);
  if (error == 0) error = change(*in.here().disk, disk_core::normal(path));
  return in.made(call, -1, error == 0 ? 0 : fails_with(error));
}

int rename_simulated(kernel& in, const char* from, const char* to) {
  if (*to == '\0') return in.made("rename", -1, fails_with(ENOENT));
  return change_names(in, "rename", from, [to](disk_core& disk, const std::string& name) {
    return disk.rename(name, disk_core::normal(to));
  });
}

}  // namespace

extern "C" {

int unlink(const char* path) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(unlink)(path);
  return change_names(*in, "unlink", path, [](disk_core& disk, const std::string& name) { return disk.remove(name); });
}

int rmdir(const char* path) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(rmdir)(path);
  return change_names(*in, "rmdir", path,
                      [](disk_core& disk, const std::string& name) { return disk.remove_directory(name); });
}

int remove(const char* path) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(remove)(path);
  const auto found = in->here().disk->find(disk_core::normal(path));
  return found != nullptr && found->is_directory() ? ::rmdir(path) : ::unlink(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(mkdir)(path, mode);
  return change_names(*in, "mkdir", path, [mode](disk_core& disk, const std::string& name) {
    const auto made = disk.create(name, S_IFDIR | (mode & 0777U));
    return made ? 0 : made.error();
  });
}

int rename(const char* from, const char* to) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(rename)(from, to);
  return rename_simulated(*in, from, to);
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(renameat)(from_folder, from, to_folder, to);
  if (from_folder != AT_FDCWD || to_folder != AT_FDCWD) kernel::refuse("renameat in a directory");
  return ::rename(from, to);
}

int truncate(const char* path, off_t size) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(truncate)(path, size);
  const int opened = ::open(path, O_WRONLY | O_CLOEXEC);
  if (opened < 0) return -1;
  const int result = ::ftruncate(opened, size);
  const int error = errno;
  (void)::close(opened);
  errno = error;
  return result;
}
int truncate64(const char* path, off64_t size) noexcept { return ::truncate(path, size); }

int stat(const char* path, struct stat* into) noexcept {
  kernel* const in = reading(path);
  if (in == nullptr) return TARE_SIM_REAL(stat)(path, into);
  return describe_path(*in, "stat", path, into);
}
int stat64(const char* path, struct stat64* into) noexcept {
  return ::stat(path, reinterpret_cast<struct stat*>(into));
}

int lstat(const char* path, struct stat* into) noexcept {
  kernel* const in = reading(path);
  if (in == nullptr) return TARE_SIM_REAL(lstat)(path, into);
  return describe_path(*in, "lstat", path, into);
}
int lstat64(const char* path, struct stat64* into) noexcept {
  return ::lstat(path, reinterpret_cast<struct stat*>(into));
}

int fstatat(int folder, const char* path, struct stat* into, int flags) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(fstatat)(folder, path, into, flags);
  if ((flags & AT_EMPTY_PATH) != 0 && *path == '\0') return ::fstat(folder, into);
  if (folder != AT_FDCWD && *path != '/') kernel::refuse("fstatat in a directory");
  return (flags & AT_SYMLINK_NOFOLLOW) != 0 ? ::lstat(path, into) : ::stat(path, into);
}
int fstatat64(int folder, const char* path, struct stat64* into, int flags) noexcept {
  return ::fstatat(folder, path, reinterpret_cast<struct stat*>(into), flags);
}

int access(const char* path, int mode) noexcept {
  kernel* const in = reading(path);
  if (in == nullptr) return TARE_SIM_REAL(access)(path, mode);
  const int error = missing(*in, path);
  return in->made("access", -1, error == 0 ? 0 : fails_with(error));
}

ssize_t readlink(const char* path, char* into, size_t size) noexcept {
  kernel* const in = reading(path);
  if (in == nullptr || is_of_system(path)) return TARE_SIM_REAL(readlink)(path, into, size);
  const int error = missing(*in, path);
  return in->made("readlink", -1, ssize_t{fails_with(error == 0 ? EINVAL : error)});  // there are no links
}

char* getcwd(char* into, size_t size) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(getcwd)(into, size);
  if (into == nullptr) return ::strdup("/");
  if (size < 2) {
    errno = ERANGE;
    return nullptr;
  }
  into[0] = '/';
  into[1] = '\0';
  return into;
}

// What no part of the simulation needs yet, so that a use is found.
DIR* opendir(const char* path) {
  if (kernel::of_caller() != nullptr) kernel::refuse("opendir");
  return TARE_SIM_REAL(opendir)(path);
}
int chdir(const char* path) noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("chdir");
  return TARE_SIM_REAL(chdir)(path);
}
int link(const char* from, const char* to) noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("link");
  return TARE_SIM_REAL(link)(from, to);
}
int symlink(const char* target, const char* path) noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("symlink");
  return TARE_SIM_REAL(symlink)(target, path);
}
int unlinkat(int folder, const char* path, int flags) noexcept {
  if (kernel::of_caller() == nullptr) return TARE_SIM_REAL(unlinkat)(folder, path, flags);
  if (folder != AT_FDCWD && *path != '/') kernel::refuse("unlinkat in a directory");
  return (flags & AT_REMOVEDIR) != 0 ? ::rmdir(path) : ::unlink(path);
}
int mkstemp(char* pattern) {
  if (kernel::of_caller() != nullptr) kernel::refuse("mkstemp");
  return TARE_SIM_REAL(mkstemp)(pattern);
}
char* mkdtemp(char* pattern) noexcept {
  if (kernel::of_caller() != nullptr) kernel::refuse("mkdtemp");
  return TARE_SIM_REAL(mkdtemp)(pattern);
}
}
