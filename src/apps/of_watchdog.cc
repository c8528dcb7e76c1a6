// of-watchdog: the server in front of one function.
#include <unistd.h>

#include "watchdog/watchdog.h"

int main(int argc, char** argv) {
  return faas::watchdog::run(faas::watchdog::Program::of_watchdog, argc, argv, environ);
}
