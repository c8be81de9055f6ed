#!/bin/sh
# Starts Alertmanager with a receiver for Slack, a webhook, both or none.
#
#   start.sh PROGRAM DIRECTORY [ARGUMENT ...]
#
# SLACK_WEBHOOK_FILE  file with the URL of an incoming webhook of Slack
# ALERT_WEBHOOK_URL   URL that gets alerts as JSON
# ALERT_CONFIG        a configuration to use instead of alertmanager.yml beside this script
set -eu
program=$1 directory=$2
shift 2
source=${ALERT_CONFIG:-$(dirname "$0")/alertmanager.yml}
config=$directory/alertmanager.yml

umask 077
cat "$source" >"$config"

if [ -n "${SLACK_WEBHOOK_FILE:-}" ]; then
    if [ ! -s "$SLACK_WEBHOOK_FILE" ]; then
        echo "Cannot start: SLACK_WEBHOOK_FILE=$SLACK_WEBHOOK_FILE is empty or missing. Write the URL of the webhook to it." >&2
        exit 1
    fi
    case $SLACK_WEBHOOK_FILE in *[!A-Za-z0-9_./-]*)
        echo "Cannot start: the path in SLACK_WEBHOOK_FILE has a character other than A-Z a-z 0-9 _ . / -. Rename the file." >&2
        exit 1 ;;
    esac
    cat >>"$config" <<END
    slack_configs:
      - api_url_file: "$SLACK_WEBHOOK_FILE"
        send_resolved: true
        title: '{{ .Status | toUpper }}: {{ .CommonLabels.alertname }}'
        text: |-
          {{ range .Alerts }}{{ .Annotations.summary }}
          {{ .Annotations.description }}
          {{ .Annotations.action }}
          {{ end }}
END
fi

if [ -n "${ALERT_WEBHOOK_URL:-}" ]; then
    case $ALERT_WEBHOOK_URL in
    *[!A-Za-z0-9_.~:/?#@\&=+%,\;-]*)
        echo "Cannot start: ALERT_WEBHOOK_URL has a character that a URL must not have. Encode it, for example a space as %20." >&2
        exit 1 ;;
    http://?* | https://?*) ;;
    *)
        echo "Cannot start: ALERT_WEBHOOK_URL must begin with http:// or https://." >&2
        exit 1 ;;
    esac
    cat >>"$config" <<END
    webhook_configs:
      - url: "$ALERT_WEBHOOK_URL"
        send_resolved: true
END
fi

exec "$program" --config.file="$config" --storage.path="$directory" "$@"
