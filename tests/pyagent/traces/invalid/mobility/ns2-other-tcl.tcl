set opt(nn) 10
