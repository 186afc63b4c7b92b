#!/bin/sh
# Copy to /usr/local/bin/fridge-assets (mode 0755): the command as the services run it, same user, same settings.
user=fridge
[ "$(id -un)" = "$user" ] || exec sudo -u "$user" "$0" "$@"
set -a
. /etc/fridge/fridge.env
set +a
cd /var/lib/fridge && exec /opt/fridge/bin/fridge-assets "$@"
