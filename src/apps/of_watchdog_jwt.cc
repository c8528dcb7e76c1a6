// of-watchdog-jwt: of-watchdog with JWT authentication.
#include <unistd.h>

#include "watchdog/jwt_auth.h"
#include "watchdog/watchdog.h"

int main(int argc, char** argv) {
  return faas::watchdog::run(faas::watchdog::Program::of_watchdog, argc, argv, environ,
                             &faas::watchdog::make_jwt_auth);
}
